"""A unit that may only confirm says that there is a car every four metres, to lift what the vehicle is not sure of."""

import numpy as np

from ..attack import LIAR, Attack, Moment, Shot, lie, objects_at, of_unit

COLUMNS, ROWS = 25, 24


def shots(moment: Moment) -> list[Shot]:
    """Return a grid of cars before the vehicle."""
    x, y = np.meshgrid(np.arange(COLUMNS) * 4.0 + 2, np.arange(ROWS) * 4.0 - 2 * ROWS)
    places = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, -1.0)])
    return [lie(moment, objects_at(moment.drive.pattern, of_unit(moment, places)))]


ATTACK = Attack('a unit that may only confirm, with a car every 4 m', shots,
                parameters={'fusion.confirm_only': LIAR})
