"""A unit reports four cars before the vehicle and then falls silent; what counts is the time after that."""

import numpy as np

from ..attack import Attack, Moment, Shot, lie, objects_at, of_unit

PLACES = np.array([(12.0, 0, -1), (20, 3.5, -1), (28, -3.5, -1), (36, 0, -1)])


def shots(moment: Moment) -> list[Shot]:
    """Return the cars in the first half of the time."""
    if 2 * moment.index >= moment.count:
        return []
    return [lie(moment, objects_at(moment.drive.pattern, of_unit(moment, PLACES)))]


ATTACK = Attack('four cars that are not there, after their unit fell silent', shots, counted_from=0.5)
