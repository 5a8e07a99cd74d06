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
    flat = masks.reshape(len(masks), int(np.prod(masks.shape[1:])))
    owner, share = _owners(flat, score, kept)
    written = share >= rules.mask
    # The last number stands for voxels that nobody owns.
    owned, writes = (np.bincount(owners, minlength=len(masks) + 1)[:-1] for owners in (owner, owner[written]))
    inside = np.zeros(len(masks), np.int64)
    inside[kept] = [np.count_nonzero(flat[query] >= rules.mask) for query in kept]
    valid = (writes > 0) & (owned >= rules.owned * inside)
    label_of, id_of = np.append(np.where(valid, label, taxonomy.free), taxonomy.free), np.append(valid * ids, 0)
    return Volume(np.where(written, label_of[owner], taxonomy.free).astype(np.uint8).reshape(masks.shape[1:]),
                  np.where(written, id_of[owner], 0).astype(np.int64).reshape(masks.shape[1:]))


def _owners(flat: np.ndarray, score: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the kept queries owns each voxel (V,), their number for none, and its mask there (V,)."""
    owner, share = np.full(flat.shape[1], len(flat)), np.zeros(flat.shape[1], flat.dtype)
    best, weighted = np.full(flat.shape[1], -np.inf, flat.dtype), np.empty(flat.shape[1], flat.dtype)
    # Query by query: all masks times their scores would be a second copy of them.
    for query in kept:
        np.multiply(flat[query], score[query], out=weighted)
        better = weighted > best
        for whole, part in ((best, weighted), (share, flat[query]), (owner, query)):
            np.copyto(whole, part, where=better)
    return owner, share


def _labels(probability: np.ndarray, ids: np.ndarray, taxonomy: Taxonomy,
            kinds_apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return class (Q,) and score (Q,) of each query."""
    if kinds_apart:
        thing, stuff = (taxonomy.flags((*classes, taxonomy.free)) for classes in (taxonomy.things, taxonomy.stuff))
        probability = np.where(np.where(ids[:, None] != 0, thing, stuff), probability, -np.inf)
    return probability.argmax(1), probability.max(1)
