"""One frame of voxels as counts: how many have which class and identity in truth and in the prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .taxonomy import Taxonomy


@dataclass(frozen=True)
class Volume:
    """Class (X, Y, Z) of every voxel and its identity (X, Y, Z), whole numbers, 0 = none."""

    semantics: np.ndarray
    instances: np.ndarray


@dataclass(frozen=True)
class Overlaps:
    """
    Voxels by what they are and what they were taken for, R different combinations.

    ``truth_class``, ``truth_id``, ``class_``, ``id_`` and ``count`` are (R,) int64. Of the truth, only things have an
    identity.
    """

    truth_class: np.ndarray
    truth_id: np.ndarray
    class_: np.ndarray
    id_: np.ndarray
    count: np.ndarray

    def __getitem__(self, index) -> Overlaps:
        """Return the combinations selected by a mask."""
        return Overlaps(*(column[index] for column in vars(self).values()))


def overlaps(truth: Volume, found: Volume, mask: np.ndarray | None, taxonomy: Taxonomy) -> Overlaps:
    """
    Count the voxels of one frame that are measured.

    :param mask: (X, Y, Z), which voxels are measured; None: all.
    :raises ValueError: for volumes of different shapes, classes beyond the taxonomy and negative identities.
    """
    columns = [truth.semantics, truth.instances, found.semantics, found.instances]
    shapes = {np.shape(column) for column in (*columns, *(() if mask is None else (mask,)))}
    if len(shapes) > 1:
        raise ValueError(f"volumes of one frame must have one shape, not {', '.join(map(str, sorted(shapes)))}")
    measured = np.ones(columns[0].size, bool) if mask is None else np.asarray(mask).ravel() != 0
    columns = [np.asarray(column).ravel()[measured] for column in columns]
    for name, column in (('class', columns[0]), ('class', columns[2])):
        if len(column) and not 0 <= int(column.min()) <= int(column.max()) < len(taxonomy.classes):
            raise ValueError(f'a {name} of voxels is none of 0 to {len(taxonomy.classes) - 1}')
    kept = ~taxonomy.flags(taxonomy.ignored)[columns[0]]
    truth_class, truth_id, class_, id_ = (column[kept] for column in columns)
    truth_values, truth_place = _identities(truth_id, taxonomy.flags(taxonomy.things)[truth_class])
    values, place = _identities(id_, None)
    # Both numbers of a row are small, so a combination fits into 64 bits.
    count_classes = len(taxonomy.classes)
    rows = ((truth_class.astype(np.int64) * count_classes + class_) * len(truth_values) + truth_place) * len(
        values) + place
    rows, count = np.unique(rows, return_counts=True)
    rows, place = np.divmod(rows, len(values))
    rows, truth_place = np.divmod(rows, len(truth_values))
    truth_class, class_ = np.divmod(rows, count_classes)
    return Overlaps(truth_class, truth_values[truth_place], class_, values[place], count)


def _identities(ids: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the different identities, 0 first, and which of them each voxel has; 0 where not ``valid``."""
    some = np.flatnonzero(ids if valid is None else (ids != 0) & valid)
    values, inverse = np.unique(ids[some].astype(np.int64), return_inverse=True)
    if len(values) and values[0] < 0:
        raise ValueError(f'identity {values[0]} of voxels is negative')
    place = np.zeros(len(ids), np.int64)
    place[some] = inverse.reshape(-1) + 1
    return np.concatenate([[0], values]), place
