"""Three units report 150 cars each."""

from ..attack import Attack, Moment, Shot, corner, lie, objects_at
from ..drive import UNIT

LIARS = ('rsu_2', 'rsu_3', 'rsu_4')


def crowd(moment: Moment, count: int) -> list[Shot]:
    """Return a message of each unit with so many cars, each unit with places and identities of its own."""
    return [lie(moment, objects_at(moment.drive.pattern, corner(moment, count, number), first_id=count * number), unit)
            for number, unit in enumerate(LIARS)]


ATTACK = Attack('three more units with 150 plausible objects each', lambda moment: crowd(moment, 150),
                units=(UNIT, *LIARS))
