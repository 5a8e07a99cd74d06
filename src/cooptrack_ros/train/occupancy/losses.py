"""Losses of masks of voxels, and which query learns which mask (TrackOcc)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from ...model.occupancy.head import MaskOutput
from ...occupancy.taxonomy import Taxonomy
from ..losses import Term, class_focal_loss
from ..matching import focal_cost
from ..recipe import LossConfig
from .settings import OccupancyConfig
from .targets import VoxelTargets

_MOST_RARE = 22.0
"""The most that a voxel of a rare class counts, as in the published code."""


def mask_costs(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return cross-entropy and Dice (Q, G) of every pair of (Q, V) logits and (G, V) masks, means over the V voxels."""
    count = max(logits.shape[1], 1)
    entropy = (F.softplus(-logits) @ truth.T + F.softplus(logits) @ (1 - truth).T) / count
    inside = logits.sigmoid()
    dice = 1 - (2 * inside @ truth.T + 1) / (inside.sum(1)[:, None] + truth.sum(1)[None] + 1)
    return entropy, dice


def mask_loss(logits: Tensor, truth: Tensor, total: int, bce_weight: float, dice_weight: float) -> Tensor:
    """
    Return the summed loss of M masks (M, V).

    :param total: voxels of the grid, by which the cross-entropy of the visible ones is divided.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction='none').sum() / total
    inside = logits.sigmoid()
    dice = 1 - (2 * (inside * truth).sum(1) + 1) / (inside.sum(1) + truth.sum(1) + 1)
    return bce_weight * entropy + dice_weight * dice.sum()


class OccupancyCriterion:
    """Says how far masks, classes and places are from the voxels of a frame; holds layers that only training has."""

    def __init__(self, taxonomy: Taxonomy, mask_dims: int, losses: LossConfig, weights: OccupancyConfig):
        """Create the layers that tell the class of a voxel from its mask features."""
        self.taxonomy, self.losses, self.weights = taxonomy, losses, weights
        self.semantics = nn.Sequential(nn.Linear(mask_dims, 2 * mask_dims), nn.Softplus(),
                                       nn.Linear(2 * mask_dims, len(taxonomy.classes)))

    def match(self, output: MaskOutput, queries: Tensor, truth: Tensor, labels: Tensor,
              targets: VoxelTargets) -> tuple[Tensor, Tensor]:
        """
        Return which of some queries learn which of G masks, at the least cost of classes and masks.

        :param queries: (Q,) numbers; :param truth: (G, V); :param labels: (G,).
        :returns: places in ``queries``, and the masks that go with them.
        """
        if not len(queries) or not len(labels):
            return queries[:0], labels[:0]
        with torch.no_grad():
            entropy, dice = mask_costs(output.mask_logits(0, queries, targets.voxels), truth)
            cost = self.weights.cls_weight * focal_cost(
                output.logits[0, queries], labels, self.losses.focal_alpha, self.losses.focal_gamma)
            cost = cost + self.weights.match_bce_weight * entropy + self.weights.dice_weight * dice
        rows, columns = linear_sum_assignment(torch.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6).cpu().numpy())
        return tuple(torch.from_numpy(x).to(queries.device) for x in (rows, columns))

    def __call__(self, output: MaskOutput, index: Tensor, num_vanished: int, metres: Tensor,
                 targets: VoxelTargets) -> dict[str, Term]:
        """
        Return the losses of a frame.

        :param index: (T,) which thing each query of things stands for, -1 for none, T before those of stuff.
        :param num_vanished: queries of things that are not there any more.
        :param metres: (T, 3) places of the queries.
        """
        return {**self._things(output, index, num_vanished, metres, targets),
                **self._stuff(output, len(index), targets), 'semantics': self._semantics(output, targets)}

    def _things(self, output: MaskOutput, index: Tensor, num_vanished: int, metres: Tensor,
                targets: VoxelTargets) -> dict[str, Term]:
        weights, total = self.weights, output.mask_feats[0, 0].numel()
        matched = torch.nonzero(index >= 0).flatten()
        numbers, count = index[matched], len(matched)
        cls = weights.cls_weight * class_focal_loss(output.logits[0, :len(index)], index, targets.labels,
                                                   self.losses)
        masks = mask_loss(output.mask_logits(0, matched, targets.voxels), targets.things(numbers), total,
                          weights.thing_bce_weight, weights.dice_weight)
        terms = {'thing_cls': Term(cls, count + num_vanished), 'thing_mask': Term(masks, count)}
        if weights.position_weight:
            velocity = targets.velocity[numbers]
            off = (metres[matched] - targets.centre[numbers]).abs().sum()
            slip = torch.where(velocity.isnan(), 0, output.velocity[0, matched] - velocity.nan_to_num()).abs().sum()
            terms['thing_position'] = Term(weights.position_weight * (off + weights.velocity_share * slip), count)
        return terms

    def _stuff(self, output: MaskOutput, first: int, targets: VoxelTargets) -> dict[str, Term]:
        """Return the losses of the queries of stuff, from number ``first`` on; without a mask they learn to be free."""
        weights, device = self.weights, targets.voxels.device
        queries = torch.arange(first, output.logits.shape[1], device=device)
        known = torch.tensor([*self.taxonomy.stuff, self.taxonomy.free], device=device)
        present = known[:-1][(targets.semantics[None] == known[:-1, None]).any(1)]
        truth = targets.stuff(present)
        rows, columns = self.match(output, queries, truth, present, targets)
        index = torch.full_like(queries, len(known) - 1)
        index[rows] = torch.searchsorted(known[:-1], present[columns])
        cls = weights.cls_weight * class_focal_loss(output.logits[0, first:], index, known, self.losses)
        masks = mask_loss(output.mask_logits(0, queries[rows], targets.voxels), truth[columns],
                          output.mask_feats[0, 0].numel(), weights.stuff_bce_weight, weights.dice_weight)
        return {'stuff_cls': Term(cls, len(present)), 'stuff_mask': Term(masks, len(present))}

    def _semantics(self, output: MaskOutput, targets: VoxelTargets) -> Term:
        logits = self.semantics(output.mask_feats[0].flatten(1)[:, targets.voxels].T)
        rarity = class_rarity(targets.semantics, self.taxonomy)
        costs = F.cross_entropy(logits, targets.semantics, rarity, reduction='sum')
        return Term(self.weights.semantics_weight * costs / rarity[targets.semantics].sum().clamp(min=1), 1)


def class_rarity(semantics: Tensor, taxonomy: Taxonomy) -> Tensor:
    """Return how much a voxel of each class counts (C,): 1 if free, more the rarer the class is among some voxels."""
    count = torch.bincount(semantics, minlength=len(taxonomy.classes)).float()
    rarity = (count[taxonomy.free] / count.clamp(min=1)).sqrt().clamp(1, _MOST_RARE)
    rarity[taxonomy.free] = 1.0
    return rarity
