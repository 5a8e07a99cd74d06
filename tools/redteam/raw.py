"""Messages as bytes that no publisher of the middleware would make."""

from __future__ import annotations

import struct

from rclpy.serialization import serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray

_HOLE = 'hole' * 15
"""As long as a bounded text may be, nearly."""


def with_long_name(message: InstanceFeatureArray, field: str, text: bytes) -> bytes:
    """
    Return a message with a text that is longer than the field may be.

    The text is lengthened with blanks until everything after it stands where it is looked for.
    """
    before = getattr(message, field)
    setattr(message, field, _HOLE)
    data = serialize_message(message)
    setattr(message, field, before)
    hole = struct.pack('<I', len(_HOLE) + 1) + _HOLE.encode() + b'\0'
    start = data.index(hole)
    text += b' ' * (-(len(text) - len(_HOLE)) % 8)
    return data[:start] + struct.pack('<I', len(text) + 1) + text + b'\0' + data[start + len(hole):]
