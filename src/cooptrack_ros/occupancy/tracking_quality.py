"""
OccSTQ, OccSQ and OccAQ of TrackOcc from counters of a stream of frames.

``strict`` are the formulas of the paper; ``released`` is what the published evaluation code does, with or without its
rule that the identity 1 is left out. The published figures presumably are of the latter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from .segments import Overlaps
from .taxonomy import Taxonomy


@dataclass(frozen=True)
class Convention:
    """
    Rules by which voxels are counted.

    ``free_space``: voxels that are free in truth are measured. ``absent_is_zero``: a class that never occurs has IoU 0,
    otherwise none. ``least_voxels`` of a true tube in a sequence. ``things_only``: a predicted tube has the voxels of
    predicted things only; otherwise its size is that of all measured classes, and all its voxels may intersect.
    ``dropped`` is an identity that is left out on both sides, 0 for none.
    """

    name: str
    free_space: bool
    absent_is_zero: bool
    least_voxels: int
    things_only: bool
    dropped: int = 0


CONVENTIONS = (
    Convention('strict', free_space=True, absent_is_zero=False, least_voxels=1, things_only=True),
    Convention('released', free_space=False, absent_is_zero=True, least_voxels=3, things_only=False, dropped=1),
    Convention('released_without_id_rule', free_space=False, absent_is_zero=True, least_voxels=3, things_only=False),
)


@dataclass
class _Tubes:
    """Voxels of one sequence by identity: true tubes (class, identity), predicted ones, and both at once."""

    true: Counter[tuple[int, int]] = field(default_factory=Counter)
    predicted: Counter[int] = field(default_factory=Counter)
    both: Counter[tuple[int, int, int]] = field(default_factory=Counter)


class TrackingQuality:
    """OccSTQ and its parts by one convention; takes frames one by one and keeps counters only."""

    def __init__(self, taxonomy: Taxonomy, convention: Convention) -> None:
        """Start with no frame."""
        self.taxonomy, self.convention = taxonomy, convention
        count = len(taxonomy.classes)
        self._confusion = np.zeros((count, count), np.int64)
        self._sequences: dict[str, _Tubes] = {}

    def add(self, sequence: str, frame: Overlaps) -> None:
        """Count one more frame of a sequence; identities are those of the sequence."""
        taxonomy, rules = self.taxonomy, self.convention
        if not rules.free_space:
            frame = frame[frame.truth_class != taxonomy.free]
        np.add.at(self._confusion, (frame.truth_class, frame.class_), frame.count)
        tubes = self._sequences.setdefault(sequence, _Tubes())
        thing, measured = taxonomy.flags(taxonomy.things), taxonomy.flags(taxonomy.evaluated)
        true = thing[frame.truth_class] & ~np.isin(frame.truth_id, (0, rules.dropped))
        found = ~np.isin(frame.id_, (0, rules.dropped))
        if rules.things_only:
            found &= thing[frame.class_]
        rows = zip(true.tolist(), found.tolist(), (found & measured[frame.class_]).tolist(),
                   *(column.tolist() for column in vars(frame).values()))
        for is_true, is_found, has_size, truth_class, truth_id, _, id_, count in rows:
            if is_true:
                tubes.true[truth_class, truth_id] += count
                if is_found:
                    tubes.both[truth_class, truth_id, id_] += count
            if has_size:
                tubes.predicted[id_] += count

    def result(self) -> dict[str, Any]:
        """Return the figures of all frames so far; None for what is not defined, such as OccAQ without a true tube."""
        ious = {c: self._iou(c) for c in self.taxonomy.evaluated}
        segmentation = _mean([iou for iou in ious.values() if iou is not None])
        qualities = self._association()
        association = _mean([quality for tubes in qualities.values() for quality in tubes])
        defined = segmentation is not None and association is not None
        return {
            'OccSTQ': sqrt(segmentation * association) if defined else None,
            'OccSQ': segmentation, 'OccAQ': association,
            'OccAQ_per_class': {str(c): _mean(tubes) for c, tubes in qualities.items()},
            'IoU_per_class': {str(c): iou for c, iou in ious.items()},
            'num_gt_tubes': {str(c): len(tubes) for c, tubes in qualities.items()}}

    def _iou(self, c: int) -> float | None:
        both = int(self._confusion[c, c])
        union = int(self._confusion[c].sum() + self._confusion[:, c].sum()) - both
        if union:
            return both / union
        return 0.0 if self.convention.absent_is_zero else None

    def _association(self) -> dict[int, list[float]]:
        """Return the quality of every true tube, by class."""
        qualities: dict[int, list[float]] = {c: [] for c in self.taxonomy.things}
        for tubes in self._sequences.values():
            sums: Counter[tuple[int, int]] = Counter()
            for (c, true_id, id_), both in tubes.both.items():
                size = tubes.true[c, true_id]
                sums[c, true_id] += both * (both / (tubes.predicted[id_] + size - both))
            for (c, true_id), size in tubes.true.items():
                if size >= self.convention.least_voxels:
                    qualities[c].append(sums[c, true_id] / size)
        return qualities


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
