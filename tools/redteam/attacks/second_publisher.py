"""Somebody sends under the name of the honest unit too, in another session with every message, and sees nothing."""

from ..attack import Attack, lie
from ..drive import UNIT

ATTACK = Attack('a second publisher under the name of the unit, a new session every time', units=(UNIT,),
                before=lambda moment: [lie(
                    moment, moment.drive.pattern.instances[:0], UNIT, session=1000 + moment.index, sequence=0)])
