"""A unit that may only confirm reports 100 cars at most: a grid of eight metres that moves from message to message."""

import numpy as np

from ..attack import LIAR, Attack, Moment, Shot, lie, objects_at, of_unit


def shots(moment: Moment) -> list[Shot]:
    """Return a coarse grid of cars before the vehicle, elsewhere every time."""
    x, y = np.meshgrid(np.arange(10) * 8.0 + 2 + 2 * (moment.index % 4), np.arange(10) * 8.0 - 40)
    places = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, -1.0)])
    return [lie(moment, objects_at(moment.drive.pattern, of_unit(moment, places)))]


ATTACK = Attack('a unit that may only confirm, with 100 cars that move', shots,
                parameters={'fusion.confirm_only': LIAR})
