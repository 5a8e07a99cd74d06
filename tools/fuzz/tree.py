"""Changes to nested data: what JSON and YAML files hold, and messages."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from .source import Source

_ODD = (None, True, [], {}, '', -1, 0, 10**30, 1e308, float('nan'), float('inf'), 'nan', '1e999', '../../x', '\x00',
        [[]], {'': None}, [None] * 3, 'a' * 1000, 2**63, -2**63)


def nested(depth: int) -> list:
    """Return lists within lists."""
    result: list = []
    for _ in range(depth):
        result = [result]
    return result


def changed_tree(tree: Any, source: Source) -> Any:
    """Return plain data with one place replaced, removed or repeated; the original stays as it is."""
    if isinstance(tree, dict) and tree and source.below(8):
        key = sorted(tree, key=str)[source.below(len(tree))]
        kind = source.below(8)
        if kind == 0:
            return {k: v for k, v in tree.items() if k != key}
        if kind == 1:
            return {**tree, source.text(): tree[key]}
        return {**tree, key: changed_tree(tree[key], source)}
    if isinstance(tree, list) and tree and source.below(8):
        at, kind = source.below(len(tree)), source.below(8)
        if kind == 0:
            return tree[:at] + tree[at + 1:]
        if kind == 1:
            return tree[:at + 1] + tree[at:]
        return [*tree[:at], changed_tree(tree[at], source), *tree[at + 1:]]
    kind = source.below(len(_ODD) + 4)
    if kind < len(_ODD):
        return _ODD[kind]
    return (source.real(), source.integer(64), source.text(), nested(90))[kind - len(_ODD)]


def drawn_message(source: Source, good: bytes, kind: type, max_bytes: float = float('inf')) -> Any:
    """
    Return a message: a good one with up to three fields changed, what its bytes become with changes, or any bytes.

    :param good: serialized; :param kind: its class; :param max_bytes: that are read of what is not good.
    :raises WireError: for bytes that are no message.
    """
    from cooptrack_ros.wire.serialized import read_message
    if source.below(4):
        message = read_message(good, kind)
        for _ in range(source.below(3) + 1):
            spoil_message(message, source)
        return message
    return read_message(source.changed(good) if source.below(4) else source.rest(), kind, max_bytes)


def spoil_message(message: Any, source: Source) -> None:
    """Change one field of a ROS message in place, as far down as it is nested."""
    fields = message.get_fields_and_field_types()
    name = sorted(fields)[source.below(len(fields))]
    value, kind = getattr(message, name), fields[name]
    if hasattr(value, 'get_fields_and_field_types'):
        spoil_message(value, source)
        return
    if isinstance(value, (list, tuple)) and value and hasattr(value[0], 'get_fields_and_field_types'):
        spoil_message(value[source.below(len(value))], source)
        return
    if kind.startswith('sequence<') and '/' in kind:
        # There is nothing in it to change, and a list of anything else is no message.
        return
    try:
        setattr(message, name, _other(value, kind, source))
    except (AssertionError, ValueError, OverflowError, TypeError):
        # What the message type itself cannot hold cannot come over the network either.
        return


def _other(value: Any, kind: str, source: Source) -> Any:
    if isinstance(value, np.ndarray):
        changed = value.copy()
        whole = value.dtype.kind in 'iu'
        changed[source.below(len(changed))] = source.integer(8 * value.itemsize) if whole else source.real()
        return changed
    if isinstance(value, array):
        return _other_array(value, source)
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return source.real()
    if isinstance(value, bytes):
        return source.take(1)
    if isinstance(value, int):
        bits = int(''.join(c for c in kind if c.isdigit()) or 8)
        number = source.integer(bits)
        return number if kind.startswith('u') or number < 2**(bits - 1) else number - 2**bits
    if isinstance(value, str):
        return source.text()
    draw = source.text if 'string' in kind else source.real
    return [draw() for _ in range(source.below(20))]


def _other_array(value: array, source: Source) -> array:
    kind = source.below(4)
    if kind == 0 or not value:
        return value[:source.below(len(value) + 1)] if value else array(
            value.typecode, source.take(8 * source.below(32)))
    if kind == 1:
        return value + value[:source.below(64)]
    changed, bits = array(value.typecode, value), 8 * value.itemsize
    if kind == 2 and value.typecode == 'B':
        return array('B', source.changed(changed.tobytes()))
    if kind == 2:
        return array(value.typecode, source.take(len(changed) * value.itemsize))
    if value.typecode in 'fd':
        changed[source.below(len(changed))] = source.real()
    else:
        number = source.integer(bits)
        # Capital letters are types without a sign.
        changed[source.below(len(changed))] = number if value.typecode.isupper() else number % 2**(bits - 1)
    return changed
