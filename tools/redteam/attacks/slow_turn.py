"""The unit says that it turns by 0.1 degrees a second, though it stands."""

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, turned

ATTACK = Attack('the unit turns its pose by 0.1 degrees a second', units=(UNIT,), seconds=30.0, counted_from=0.75,
                says=posed(lambda moment, pose: turned(pose, 0.1 * moment.seconds)))
