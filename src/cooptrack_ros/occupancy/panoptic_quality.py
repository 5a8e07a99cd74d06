"""
Panoptic quality of voxels, frame by frame: PQ, and PQ* with the best matching instead of IoU above one half.

The published code of PQ* leaves out the true instance of the lowest identity of each frame; this one does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from .segments import Overlaps
from .taxonomy import Taxonomy

LEAST_VOXELS = (0, 10)
"""Segments without a partner that are smaller are not counted."""
_HALF = 0.5


class PanopticQuality:
    """PQ or PQ* of a stream of frames; keeps counters only."""

    def __init__(self, taxonomy: Taxonomy, best_matching: bool, least_voxels: int) -> None:
        """Start with no frame; ``best_matching`` asks for PQ*."""
        self.taxonomy, self.best_matching, self.least_voxels = taxonomy, best_matching, least_voxels
        self._iou = np.zeros(len(taxonomy.classes))
        self._tp, self._fp, self._fn = (np.zeros(len(taxonomy.classes), np.int64) for _ in range(3))

    def add(self, frame: Overlaps) -> None:
        """Count one more frame."""
        for c in self.taxonomy.evaluated:
            self._add_class(c, _segment_table(frame, c, c in self.taxonomy.things))

    def _add_class(self, c: int, table: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        both, true_size, size = table
        iou = both / np.maximum(true_size[:, None] + size[None] - both, 1)
        if self.best_matching:
            rows, columns = linear_sum_assignment(iou, maximize=True)
            matched = iou[rows, columns] > 0
            rows, columns = rows[matched], columns[matched]
        else:
            rows, columns = np.nonzero(iou > _HALF)
        self._iou[c] += iou[rows, columns].sum()
        self._tp[c] += len(rows)
        self._fn[c] += int((np.delete(true_size, rows) >= self.least_voxels).sum())
        self._fp[c] += int((np.delete(size, columns) >= self.least_voxels).sum())

    def result(self) -> dict[str, Any]:
        """Return the quality of all frames so far, None where no class or segment occurs."""
        per_class: dict[str, float | None] = {}
        for c in self.taxonomy.evaluated:
            weight = self._tp[c] + 0.5 * self._fp[c] + 0.5 * self._fn[c]
            per_class[str(c)] = float(self._iou[c] / weight) if weight else None
        occurring = [quality for quality in per_class.values() if quality is not None]
        counts = {name: {str(c): int(column[c]) for c in self.taxonomy.evaluated}
                  for name, column in (('tp', self._tp), ('fp', self._fp), ('fn', self._fn))}
        return {'value': sum(occurring) / len(occurring) if occurring else None, 'per_class': per_class, **counts}


def _segment_table(frame: Overlaps, c: int, has_identity: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return common voxels (G, P) of true and predicted segments of a class, and their sizes (G,) and (P,)."""
    in_truth, in_found = frame.truth_class == c, frame.class_ == c
    true_ids, true_place = np.unique(frame.truth_id[in_truth] * has_identity, return_inverse=True)
    ids, place = np.unique(frame.id_[in_found] * has_identity, return_inverse=True)
    true_size, size = np.zeros(len(true_ids)), np.zeros(len(ids))
    np.add.at(true_size, true_place, frame.count[in_truth])
    np.add.at(size, place, frame.count[in_found])
    both = np.zeros((len(true_ids), len(ids)))
    shared = in_truth & in_found
    np.add.at(both, (true_place[shared[in_truth]], place[shared[in_found]]), frame.count[shared])
    return both, true_size, size
