"""The unit says that it stands on its head."""

import numpy as np

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, stretched

ATTACK = Attack('the pose of the unit is upside down', units=(UNIT,),
                says=posed(lambda moment, pose: stretched(pose, np.diag([1.0, -1.0, -1.0]))))
