"""One honest unit for half a minute: what the slow attacks are compared with."""

from ..attack import Attack
from ..drive import UNIT

ATTACK = Attack('one honest unit for 30 s, nobody attacks', units=(UNIT,), seconds=30.0)
