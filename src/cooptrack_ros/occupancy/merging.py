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
    semantics, instances = np.full(shape, taxonomy.free, np.uint8), np.zeros(shape, np.int64)
    # Twice query by query: all weighted masks at once would not fit into caches. Both times with the same rounding.
    score = score.astype(masks.dtype)
    best = np.zeros(shape, masks.dtype)
    for query in kept:
        np.maximum(best, score[query] * masks[query], out=best)
    unowned = np.ones(shape, bool)
    for query in kept:
        owned = (score[query] * masks[query] == best) & unowned
        unowned &= ~owned
        inside = masks[query] >= rules.mask
        written = owned & inside
        if written.any() and np.count_nonzero(owned) / np.count_nonzero(inside) >= rules.owned:
            semantics[written], instances[written] = label[query], ids[query]
    return Volume(semantics, instances)


def _labels(probability: np.ndarray, ids: np.ndarray, taxonomy: Taxonomy,
            kinds_apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return class (Q,) and score (Q,) of each query."""
    if kinds_apart:
        thing, stuff = (taxonomy.flags((*classes, taxonomy.free)) for classes in (taxonomy.things, taxonomy.stuff))
        probability = np.where(np.where(ids[:, None] != 0, thing, stuff), probability, -np.inf)
    return probability.argmax(1), probability.max(1)
