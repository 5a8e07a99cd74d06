"""Somebody sends under the name of the honest unit too, with stamps of an hour ago."""

from ..attack import Attack, lie
from ..drive import UNIT

ATTACK = Attack('a second publisher under the name of the unit, with old stamps', units=(UNIT,),
                before=lambda moment: [lie(
                    moment, moment.drive.pattern.instances[:0], UNIT, session=1000 + moment.index, sequence=0,
                    stamp_ns=moment.frame.stamp_ns - 3600 * 10**9)])
