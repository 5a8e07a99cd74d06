"""One honest unit: what all attacks are compared with."""

from ..attack import Attack
from ..drive import UNIT

ATTACK = Attack('one honest unit, nobody attacks', units=(UNIT,))
