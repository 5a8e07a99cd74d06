"""Serialized messages of others: every length that they claim is checked before anything is made of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from rclpy.serialization import deserialize_message
from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractSequence,
    AbstractString,
    Array,
    BasicType,
    BoundedSequence,
    BoundedString,
    NamespacedType,
)

from ..common.errors import WireError
from .topics import kind_of

MAX_TEXT = 256
"""Bytes of a text whose type has no bound, such as a frame_id."""
_SIZES = {'boolean': 1, 'octet': 1, 'char': 1, 'int8': 1, 'uint8': 1, 'int16': 2, 'uint16': 2, 'int32': 4, 'uint32': 4,
          'float': 4, 'int64': 8, 'uint64': 8, 'double': 8}
_LENGTH = {b'\0\0': struct.Struct('>I'), b'\0\1': struct.Struct('<I')}
"""Of a text or an array, by the encapsulation that a message begins with."""
_ENCAPSULATION = 4

Step = Callable[[bytes, int, struct.Struct], int]
"""Takes serialized bytes without encapsulation, a position and how lengths are written; returns where it ends."""


def read_message(data: bytes, kind: type, max_bytes: float = float('inf')) -> Any:
    """
    Return a message, if all its lengths fit.

    :param kind: its class; :param max_bytes: of the whole message.
    :raises WireError: ``too_large``, ``long_text``, or ``undecodable`` if it is no message of this kind.
    """
    if len(data) > max_bytes:
        raise WireError('too_large', f'a message of {len(data)} bytes, at most {max_bytes} are accepted')
    length = _LENGTH.get(bytes(data[:2]))
    if length is None:
        raise _undecodable(kind, len(data), 'it begins with no encapsulation that is known')
    try:
        end = _skip_fields(kind)(memoryview(data)[_ENCAPSULATION:], 0, length)
    except struct.error:
        end = len(data)
    if end > len(data) - _ENCAPSULATION:
        raise _undecodable(kind, len(data), 'it ends too early')
    try:
        return deserialize_message(data, kind)
    except RuntimeError as error:
        raise _undecodable(kind, len(data), str(error)) from error


def check_texts(message: Any) -> None:
    """
    Check the texts of a message that was deserialized before anybody could look at it; arrays are not looked into.

    :raises WireError: ``long_text``.
    """
    for name, kind in zip(message.get_fields_and_field_types(), message.SLOT_TYPES, strict=True):
        if isinstance(kind, AbstractString):
            _check_text(name, len(getattr(message, name)), _bound(kind))
        elif isinstance(kind, NamespacedType):
            check_texts(getattr(message, name))


def _undecodable(kind: type, size: int, why: str) -> WireError:
    return WireError('undecodable', f'{size} bytes are no {kind.__name__}: {why}')


def _check_text(name: str, size: int, bound: int) -> None:
    if size > bound:
        raise WireError('long_text', f'{name} has {size} bytes, expected at most {bound}')


def _bound(kind: AbstractString) -> int:
    return kind.maximum_size if isinstance(kind, BoundedString) else MAX_TEXT


@cache
def _skip_fields(kind: type) -> Step:
    """Return what skips a message of a class."""
    steps = [_skip(name, of) for name, of in zip(kind.get_fields_and_field_types(), kind.SLOT_TYPES, strict=True)]

    def skip(data: bytes, at: int, length: struct.Struct) -> int:
        for step in steps:
            at = step(data, at, length)
        return at
    return skip


def _skip(name: str, kind: Any) -> Step:
    """Return what skips a field."""
    if isinstance(kind, AbstractString):
        return _skip_text(name, _bound(kind))
    if isinstance(kind, NamespacedType):
        return _skip_fields(kind_of('/'.join(kind.namespaced_name())))
    if isinstance(kind, BasicType):
        return _skip_numbers(_SIZES[kind.typename], 1)
    assert isinstance(kind, AbstractNestedType)
    element = kind.value_type
    if isinstance(kind, Array):
        return (_skip_numbers(_SIZES[element.typename], kind.size) if isinstance(element, BasicType)
                else _repeat(_skip(name, element), kind.size))
    assert isinstance(kind, AbstractSequence)
    return _skip_sequence(name, element, kind.maximum_size if isinstance(kind, BoundedSequence) else None)


def _skip_text(name: str, bound: int) -> Step:
    def skip(data: bytes, at: int, length: struct.Struct) -> int:
        at += -at % 4
        size, = length.unpack_from(data, at)
        # The end mark is counted.
        _check_text(name, size - 1, bound)
        return at + 4 + size
    return skip


def _skip_numbers(size: int, count: int) -> Step:
    def skip(data: bytes, at: int, length: struct.Struct) -> int:
        return at + -at % size + size * count
    return skip


def _repeat(step: Step, count: int) -> Step:
    def skip(data: bytes, at: int, length: struct.Struct) -> int:
        for _ in range(count):
            at = step(data, at, length)
        return at
    return skip


def _skip_sequence(name: str, element: Any, bound: int | None) -> Step:
    size = _SIZES[element.typename] if isinstance(element, BasicType) else None
    step = _skip(name, element) if size is None else None

    def skip(data: bytes, at: int, length: struct.Struct) -> int:
        at += -at % 4
        count, = length.unpack_from(data, at)
        at += 4
        if bound is not None and count > bound:
            raise WireError('too_large', f'{name} has {count} elements, expected at most {bound}')
        if step is None:
            return at + (-at % size + size * count if count else 0)
        for _ in range(count):
            if at >= len(data):
                return at + 1
            at = step(data, at, length)
        return at
    return skip

