"""The unit says that it stands 50 km away."""

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, shifted

ATTACK = Attack('the unit stands 50 km away', units=(UNIT,), says=posed(lambda moment, pose: shifted(pose, 50e3)))
