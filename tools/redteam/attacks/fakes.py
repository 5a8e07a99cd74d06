"""A unit reports four cars before the vehicle that are not there."""

from ..attack import Attack, lie, objects_at, of_unit
from .fakes_that_end import PLACES

ATTACK = Attack('four cars that are not there, from one more unit',
                lambda moment: [lie(moment, objects_at(moment.drive.pattern, of_unit(moment, PLACES)))])
