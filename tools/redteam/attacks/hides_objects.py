"""The unit reports none of what it sees."""

from dataclasses import replace

from ..attack import Attack, truthful
from ..drive import UNIT

ATTACK = Attack('the unit hides everything that it sees', units=(UNIT,),
                says=lambda moment, message: truthful(replace(message, instances=message.instances[:0])))
