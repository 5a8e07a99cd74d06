"""Somebody sends bytes on the topics of the units that are no message."""

from rclpy.serialization import serialize_message

from cooptrack_ros.wire.topics import features_topic

from ..attack import LIAR, Attack, Moment, Shot, lie


def shots(moment: Moment) -> list[Shot]:
    """Return half of a message, and bytes that claim to be endless."""
    data = serialize_message(lie(moment, moment.drive.pattern.instances).message)
    return [Shot(features_topic(LIAR), half) for half in (data[:len(data) // 2], b'\0\1\0\0' + b'\xff' * 100)]


ATTACK = Attack('bytes that are no message', shots)
