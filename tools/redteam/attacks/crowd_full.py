"""Three units report 900 cars each, the most that a message may hold."""

from ..attack import Attack
from ..drive import UNIT
from .crowd_of_three import LIARS, crowd

ATTACK = Attack('three more units with 900 plausible objects each', lambda moment: crowd(moment, 900),
                units=(UNIT, *LIARS))
