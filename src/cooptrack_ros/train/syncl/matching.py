"""Which query of the second pass stands for which object (SynCL, task-specific hybrid matching)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .mixture import GOOD_ENOUGH, threshold
from .settings import SynclConfig

_NONE = -1


class HybridMatch(NamedTuple):
    """Rows are the queries of a frame."""

    gt_index: Tensor
    """(N,) object of each row, -1 for background."""
    ignored: Tensor
    """(N,) bool: the class of this row costs nothing."""
    threshold: float | None
    """Dearest cost that counts, None where there was nothing to filter."""


class Pairs(NamedTuple):
    """Object queries of a frame that stand for an object with a track, and where that is among all tracks."""

    objects: Tensor
    """(P,) rows."""
    tracks: Tensor
    """(T,) rows, at least 2."""
    positive: Tensor
    """(P,) which of the tracks is the right one."""


def pairs_of(is_track: Tensor, own_object: Tensor, match: HybridMatch) -> Pairs | None:
    """Return the pairs of a matched frame; None where it has no pair or a single track."""
    tracks = is_track.nonzero().flatten()
    objects = (~is_track & (match.gt_index >= 0)).nonzero().flatten()
    if len(tracks) < 2 or not len(objects):
        return None
    same = match.gt_index[objects][:, None] == own_object[tracks][None]
    tracked = same.any(1)
    if not tracked.any():
        return None
    return Pairs(objects[tracked], tracks, same[tracked].float().argmax(1))


def candidates(costs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """
    Return pairs (rows, objects) of each object with its cheapest rows; a row that several want goes to the cheapest.

    :param costs: (R, G).
    """
    cheapest = costs.topk(min(count, len(costs)), dim=0, largest=False).indices
    wanted = torch.full_like(costs, torch.inf).scatter(0, cheapest, costs.gather(0, cheapest))
    best, objects = wanted.min(1)
    rows = best.isfinite().nonzero().flatten()
    return rows, objects[rows]


@torch.no_grad()
def hybrid_match(costs: Tensor, is_track: Tensor, own_object: Tensor, settings: SynclConfig,
                 limit: float | None = None) -> HybridMatch:
    """
    Match a frame whose tracks have objects.

    :param costs: (N, G) of the tracker; :param is_track: (N,) bool, rows carried from the last frame.
    :param own_object: (N,) object of the identity of each row, -1 without; :param limit: a threshold found elsewhere.
    """
    persistent = own_object[is_track & (own_object >= 0)].unique()
    gt_index = torch.full_like(own_object, _NONE)
    if settings.by_identity:
        gt_index = torch.where(is_track, own_object, gt_index)
    objects = (~is_track).nonzero().flatten()
    if settings.one_to_many and len(objects) and len(persistent):
        rows, columns = candidates(costs[objects][:, persistent], settings.queries_per_object)
        found = costs[objects[rows], persistent[columns]]
        if settings.filter == 'gmm':
            limit = threshold(found.double().cpu().numpy(), GOOD_ENOUGH) if limit is None else limit
            # Float32 costs against a mean in float64.
            kept = found.double() <= limit
            rows, columns = rows[kept], columns[kept]
        gt_index[objects[rows]] = persistent[columns]
    ignored = _newborn(costs, objects, persistent, gt_index, settings, limit)
    return HybridMatch(gt_index, ignored, limit)


def _newborn(costs: Tensor, objects: Tensor, persistent: Tensor, gt_index: Tensor, settings: SynclConfig,
             limit: float | None) -> Tensor:
    """Deal with object queries that lie on objects without a track; return whose class costs nothing."""
    ignored = torch.zeros_like(gt_index, dtype=torch.bool)
    born = torch.ones(costs.shape[1], dtype=torch.bool, device=costs.device)
    born[persistent] = False
    free = objects[gt_index[objects] < 0]
    if not born.any() or not len(free) or settings.newborn == 'background':
        return ignored
    at_born = costs[free][:, born]
    if settings.newborn == 'match':
        rows, columns = linear_sum_assignment(at_born.cpu().numpy())
        gt_index[free[rows]] = born.nonzero().flatten()[torch.as_tensor(columns, device=costs.device)]
    elif limit is not None:
        ignored[free[at_born.amin(1).double() <= limit]] = True
    return ignored
