"""The unit says that it moves by 0.1 m a second, though it stands."""

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, shifted

ATTACK = Attack('the unit shifts its pose by 0.1 m/s', units=(UNIT,), seconds=30.0, counted_from=0.75,
                says=posed(lambda moment, pose: shifted(pose, 0.1 * moment.seconds)))
