"""A unit whose name and model are a million characters long."""

from cooptrack_ros.wire.topics import features_topic

from ..attack import LIAR, Attack, Moment, Shot, corner, lie, objects_at
from ..raw import with_long_name


def shots(moment: Moment) -> list[Shot]:
    """Return a message with a long name and one with a long model."""
    message = lie(moment, objects_at(moment.drive.pattern, corner(moment, 2))).message
    return [Shot(features_topic(LIAR), with_long_name(message, field, b'x' * 1_000_000))
            for field in ('unit_id', 'model_id')]


ATTACK = Attack('names of a million characters', shots)
