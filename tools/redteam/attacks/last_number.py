"""Somebody sends one message in the session of the honest unit, with the highest number that there is."""

from ..attack import Attack, Moment, Shot, lie
from ..drive import UNIT


def shots(moment: Moment) -> list[Shot]:
    """Return the message at the fifth image."""
    if moment.index != 5:
        return []
    pattern = moment.drive.pattern
    return [lie(moment, pattern.instances[:0], UNIT, session=pattern.meta.session, sequence=2**64 - 1)]


ATTACK = Attack('one message with number 2^64-1 in the session of the unit', shots, units=(UNIT,), counted_from=0.25)
