"""V2X-Seq-SPD files on disk: reading, required keys, object types; every error names file and key."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ...common import reading
from ...common.errors import UserError

CLASSES = ('car', 'bicycle', 'pedestrian')
"""Classes into which the published converter puts the object types of this data."""
CONE, CONE_LABEL = 'traffic_cone', len(CLASSES)
"""Traffic cones are not tracked; only seen when they are asked for."""

_DATES_US = 946_684_800_000_000, 2**31 * 10**6
"""Microseconds since 1970 of the years 2000 to 2038, where ROS time ends."""
_OTHER_UNITS = {'nanoseconds': 1e-3, 'milliseconds': 1e3, 'seconds': 1e6}

_CLASS_OF_TYPE = {
    'car': 0, 'truck': 0, 'van': 0, 'bus': 0,
    'cyclist': 1, 'motorcyclist': 1, 'tricyclist': 1, 'barrowlist': 1,
    'pedestrian': 2, 'trafficcone': CONE_LABEL,
}


def label_of_type(type_name: str) -> int | None:
    """Return the class index of an object type, compared without case; None for an unknown type."""
    return _CLASS_OF_TYPE.get(type_name.casefold())


def read_json(path: Path, expected: type) -> Any:
    """
    Return the content of a JSON file.

    :param expected: ``list`` or ``dict``, what the top level must be.
    :raises UserError: if the file is missing, not JSON, or holds something else.
    """
    try:
        content = reading.read_json(path)
    except FileNotFoundError:
        raise UserError(f'{path} is missing') from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(content, expected):
        raise UserError(f'{path} must hold a JSON {expected.__name__}, not a {type(content).__name__}')
    return content


def require(element: dict[str, Any], key: str, path: Path) -> Any:
    """Return ``element[key]``; raise a UserError that names file and key if it is not there."""
    try:
        return element[key]
    except (KeyError, TypeError):
        raise UserError(f"{path}: key '{key}' is missing") from None


def integer(value: Any, key: str, path: Path) -> int:
    """Return a whole number given as number or string (time stamps are strings of microseconds)."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{path}: '{key}' must be a whole number, not {value!r}") from None
    if not isinstance(value, str) and number != value:
        raise UserError(f"{path}: '{key}' must be a whole number, not {value!r}")
    if not -2**63 <= number < 2**63:
        raise UserError(f"{path}: '{key}' must fit into 64 bits, but is {value!r}")
    return number


def microseconds(value: Any, key: str, path: Path) -> int:
    """Return a time in microseconds; one that is a date only in another unit is refused, or that no ROS time holds."""
    number = integer(value, key, path)
    first, end = _DATES_US
    if not first <= number < end:
        unit = next((name for name, factor in _OTHER_UNITS.items() if first <= number * factor < end), None)
        if unit:
            raise UserError(f"{path}: '{key}' is {value!r}, which looks like {unit} since 1970, expected microseconds")
        if not 0 <= number < end:
            raise UserError(f"{path}: '{key}' is {value!r}, expected microseconds from 0 to less than {end}, the end "
                            'of ROS time in 2038')
    return number


def text(value: Any, key: str, path: Path) -> str:
    """Return a text, such as the name of a file."""
    if not isinstance(value, str) or '\0' in value:
        raise UserError(f"{path}: '{key}' must be a text, not {value!r}")
    return value


def numbers(value: Any, shape: tuple[int, ...], key: str, path: Path) -> np.ndarray:
    """Return finite float64 numbers of a shape; any nesting with the right count is taken (3x1 or flat)."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{path}: '{key}' must hold numbers, not {value!r}") from None
    if array.size != math.prod(shape) or not np.isfinite(array).all():
        raise UserError(f"{path}: '{key}' must hold {math.prod(shape)} finite numbers, not {value!r}")
    return array.reshape(shape)
