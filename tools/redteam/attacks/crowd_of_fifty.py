"""Three units report 50 cars each, none of them near a true one: as many as honest units at a big crossing."""

from ..attack import Attack
from ..drive import UNIT
from .crowd_of_three import LIARS, crowd

ATTACK = Attack('three more units with 50 objects each', lambda moment: crowd(moment, 50), units=(UNIT, *LIARS))
