"""The axes of the unit's pose are 1.7 long."""

import numpy as np

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, stretched

ATTACK = Attack('the pose of the unit is scaled by 1.7', units=(UNIT,),
                says=posed(lambda moment, pose: stretched(pose, 1.7 * np.eye(3))))
