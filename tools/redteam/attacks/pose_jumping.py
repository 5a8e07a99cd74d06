"""The unit says with every other message that it looks the other way."""

from ..attack import Attack
from ..drive import UNIT
from ..poses import posed, turned

ATTACK = Attack('the pose of the unit jumps by 180 degrees', units=(UNIT,),
                says=posed(lambda moment, pose: turned(pose, 180.0 * (moment.index % 2))))
