"""Masks of queries become one volume of classes and identities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .segments import Volume
from .taxonomy import Taxonomy


@dataclass(frozen=True)
class MergeRules:
    """
    When a query writes into the volume.

    Its score must be above ``score``; it writes voxels of which its mask has at least ``mask``, if it owns at least the
    share ``owned`` of them. ``kinds_apart``: things choose among classes of things and free, stuff among stuff and
    free; the published code lets both choose among all.
    """

    score: float = 0.3
    mask: float = 0.5
    owned: float = 0.7
    kinds_apart: bool = True


def merge_masks(probability: np.ndarray, masks: np.ndarray, ids: np.ndarray, taxonomy: Taxonomy,
                rules: MergeRules) -> Volume:
    """
    Return the volume that Q queries describe; what none of them writes is free.

    :param probability: (Q, C) of the classes.
    :param masks: (Q, X, Y, Z) share of each voxel, 0 to 1.
    :param ids: (Q,) identities of things, 0 for stuff.
    """
    label, score = _labels(probability, ids, taxonomy, rules.kinds_apart)
    kept = np.flatnonzero((label != taxonomy.free) & (score > rules.score))
    shape = masks.shape[1:]
    semantics = np.full(shape, taxonomy.free, np.uint8)
    instances = np.zeros(shape, np.int64)
    # Query by query: all masks times their scores would be a second copy of them.
    best, owner = np.full(shape, -np.inf, np.float32), np.full(shape, -1)
    for query in kept:
        weighted = score[query] * masks[query]
        better = weighted > best
        best[better], owner[better] = weighted[better], query
    for query in kept:
        owned, inside = owner == query, masks[query] >= rules.mask
        written = owned & inside
        if written.any() and owned.sum() / inside.sum() >= rules.owned:
            semantics[written], instances[written] = label[query], ids[query]
    return Volume(semantics, instances)


def _labels(probability: np.ndarray, ids: np.ndarray, taxonomy: Taxonomy,
            kinds_apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return class (Q,) and score (Q,) of each query."""
    if kinds_apart:
        thing, stuff = (taxonomy.flags((*classes, taxonomy.free)) for classes in (taxonomy.things, taxonomy.stuff))
        probability = np.where(np.where(ids[:, None] != 0, thing, stuff), probability, -np.inf)
    return probability.argmax(1), probability.max(1)
