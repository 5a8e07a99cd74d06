"""Fast, checked passage between numpy arrays and message fields."""

from __future__ import annotations

import array
import struct
from collections.abc import Sequence

import numpy as np
from std_msgs.msg import Header

from ..common.errors import WireError

_TYPE_CODES = {'f': np.float32, 'B': np.uint8, 'H': np.uint16, 'I': np.uint32, 'Q': np.uint64, 'd': np.float64}
_STAMP, _STAMP_OFFSET = struct.Struct('<iI'), 4
"""Of a header that comes first: it follows the four bytes of encapsulation."""


def to_field(values: np.ndarray, code: str) -> array.array:
    """Return an ``array.array`` of type ``code``; other sequences are copied element by element by rclpy."""
    field = array.array(code)
    field.frombytes(np.ascontiguousarray(values, dtype=_TYPE_CODES[code]).view(np.uint8).reshape(-1))
    return field


def from_field(field: Sequence, code: str, name: str, count: int) -> np.ndarray:
    """
    Return a field as a read-only array without a copy.

    :raises WireError: if it does not hold ``count`` numbers.
    """
    if len(field) != count:
        raise WireError('wrong_length', f'{name} holds {len(field)} numbers, expected {count}')
    return np.frombuffer(field, dtype=_TYPE_CODES[code]) if count else np.zeros(0, _TYPE_CODES[code])


def finite(values: np.ndarray, name: str) -> np.ndarray:
    """
    Return the values unchanged.

    :raises WireError: if any is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise WireError('not_finite', f'{name} holds NaN or infinite numbers')
    return values


def matrix(field: Sequence[float], name: str, rows: int = 4) -> np.ndarray:
    """Return a row-major fixed-size field as a finite (rows, 4) float64 matrix."""
    return finite(np.array(field, dtype=np.float64).reshape(rows, 4), name)


def stamp_ns(stamp) -> int:
    """Return a builtin_interfaces/Time in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def has_serialized_stamp(data: bytes) -> bool:
    """Tell whether serialized bytes are long enough to begin with a header."""
    return len(data) >= _STAMP_OFFSET + _STAMP.size


def serialized_stamp_ns(data: bytes) -> int:
    """
    Return the stamp in nanoseconds of a serialized message whose first field is a header.

    :raises WireError: if it is too short for that.
    """
    if not has_serialized_stamp(data):
        raise WireError('undecodable', f'{len(data)} bytes are no message with a header')
    seconds, nanoseconds = _STAMP.unpack_from(data, _STAMP_OFFSET)
    return seconds * 1_000_000_000 + nanoseconds


def is_time(stamp) -> bool:
    """Tell whether a builtin_interfaces/Time is one after 1970, in seconds and what is left of the second."""
    return stamp.sec >= 0 and stamp.nanosec < 1_000_000_000


def set_stamp(stamp, nanoseconds: int) -> None:
    """Write nanoseconds into a builtin_interfaces/Time."""
    stamp.sec, stamp.nanosec = divmod(int(nanoseconds), 1_000_000_000)


def header_of(nanoseconds: int, frame_id: str) -> Header:
    """Return a header with a stamp in nanoseconds."""
    header = Header(frame_id=frame_id)
    set_stamp(header.stamp, nanoseconds)
    return header
