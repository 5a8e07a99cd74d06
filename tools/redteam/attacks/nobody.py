"""No unit at all: what the vehicle finds by itself."""

from ..attack import Attack

ATTACK = Attack('no unit, the vehicle alone', units=(), says=None)
