"""The axes of the unit's pose are not at right angles."""

import numpy as np

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, stretched

ATTACK = Attack('the pose of the unit is sheared', units=(UNIT,),
                says=posed(lambda moment, pose: stretched(pose, np.eye(3) + 0.5 * np.eye(3, k=1))))
