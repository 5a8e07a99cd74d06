"""A unit sends 90 good messages a second with 50 cars each, just below the rate that is dropped unread."""

from itertools import count

from ..attack import Attack, Moment, Shot, corner, lie, objects_at

_NUMBERS = count()


def shots(moment: Moment) -> list[Shot]:
    """Return a new message of the same time."""
    cars = objects_at(moment.drive.pattern, corner(moment, 50))
    return [lie(moment, cars, sequence=next(_NUMBERS))]


ATTACK = Attack('one more unit, 90 good messages a second with 50 objects each', between=shots, between_hz=90)
