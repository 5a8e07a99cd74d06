"""Names of the classes of voxels, and which of them are things, ignored or free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import UserError
from ..common.reading import read_json

_MAX_CLASSES = 255


@dataclass(frozen=True)
class Taxonomy:
    """
    Classes of voxels by name; the others are numbers of classes.

    Identities count for things only. Voxels whose true class is ignored are not measured. ``free`` is no object.
    """

    classes: tuple[str, ...]
    things: tuple[int, ...]
    free: int
    ignored: tuple[int, ...] = ()

    @cached_property
    def evaluated(self) -> tuple[int, ...]:
        """Numbers of the classes that are measured: all but the free and the ignored ones."""
        return tuple(c for c in range(len(self.classes)) if c != self.free and c not in self.ignored)

    @cached_property
    def stuff(self) -> tuple[int, ...]:
        """Numbers of the measured classes whose voxels have no identity."""
        return tuple(c for c in self.evaluated if c not in self.things)

    def flags(self, classes: tuple[int, ...]) -> np.ndarray:
        """Return (C,) bool: which classes are among some."""
        return np.isin(np.arange(len(self.classes)), classes)


V2X = Taxonomy(('general', 'car', 'bicycle', 'pedestrian', 'ground', 'free'), (1, 2, 3), 5)
"""What voxels of our own data are: the classes of the boxes, what else stands there, and the ground."""
WAYMO = Taxonomy(
    ('general object', 'vehicle', 'pedestrian', 'sign', 'cyclist', 'traffic light', 'pole', 'construction cone',
     'bicycle', 'motorcycle', 'building', 'vegetation', 'tree trunk', 'road', 'walkable', 'free'),
    (1, 2, 4), 15, (9,))
"""The classes of Occ3D-Waymo in the order of the published code."""
GOLDEN = Taxonomy(('general', 'vehicle', 'pedestrian', 'cyclist', 'road', 'ignored_class', 'free'), (1, 2, 3), 6, (5,))
"""That of the golden numbers."""


def read_taxonomy(path: Path) -> Taxonomy:
    """
    Return the taxonomy of a file with the keys ``classes``, ``thing_classes``, ``ignored_classes``, ``free_class``.

    :raises UserError: naming the file and what was expected.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(content, Mapping):
        raise UserError(f'{path} must hold a JSON object with the keys classes, thing_classes, free_class')
    names = content.get('classes')
    if (not isinstance(names, list) or not 2 <= len(names) <= _MAX_CLASSES
            or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names)):
        raise UserError(f"{path}: 'classes' must be a list of 2 to {_MAX_CLASSES} different names")
    things = _numbers(path, content, 'thing_classes', len(names))
    ignored = _numbers(path, content, 'ignored_classes', len(names))
    free = content.get('free_class')
    if not _is_class(free, len(names)) or free in things or free in ignored or set(things) & set(ignored):
        raise UserError(f"{path}: 'free_class' must be the number of a class, and no class of two kinds")
    return Taxonomy(tuple(names), things, free, ignored)


def _numbers(path: Path, content: Mapping[str, Any], key: str, count: int) -> tuple[int, ...]:
    numbers = content.get(key, [])
    if not isinstance(numbers, list) or not all(_is_class(number, count) for number in numbers):
        raise UserError(f"{path}: '{key}' must be a list of numbers of classes, 0 to {count - 1}")
    return tuple(numbers)


def _is_class(number: Any, count: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count
