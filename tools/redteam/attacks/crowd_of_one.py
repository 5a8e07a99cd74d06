"""One unit reports 150 cars close together where nothing is."""

from ..attack import Attack, corner, lie, objects_at

ATTACK = Attack('one more unit with 150 plausible objects in a corner',
                lambda moment: [lie(moment, objects_at(moment.drive.pattern, corner(moment, 150)))])
