"""Query rows of one training stream: which ones join tracks, and what is carried to the next frame."""

from __future__ import annotations

import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..tracking.lifecycle import Instances
from .matching import Targets, nearest_bev_iou
from .recipe import TrackSelectionConfig


def query_order(config: ModelConfig) -> Tensor:
    """Return in which order learned queries join tracks: at random, or as they are (method.md Q9)."""
    # Random numbers are drawn on the CPU, so that a seed means the same on every device.
    count = config.num_queries
    return torch.randperm(count) if config.method.query_fill == 'random' else torch.arange(count)


@torch.no_grad()
def rows_to_carry(rows: Instances, gt_index: Tensor, targets: Targets, config: TrackSelectionConfig) -> Tensor:
    """
    Return which rows go on to the next training frame (method.md 13.5): well placed tracks and some false positives.

    Where ``carry_score`` is reached, also what the tracker itself would carry: badly placed tracks, and every false
    positive that it believes in.
    """
    matched = (gt_index >= 0).nonzero().flatten()
    iou = nearest_bev_iou(rows.codes[matched], targets.codes[gt_index[matched]])
    stays = torch.rand(len(matched)).to(iou.device) >= config.drop_probability
    kept = matched[((iou > config.min_iou) | (rows.scores[matched] >= config.carry_score)) & stays]
    false_count = int((torch.rand(len(kept)) < config.false_positive_ratio).sum())
    free = (rows.ids < 0).nonzero().flatten()
    believed = int((rows.scores[free] >= config.carry_score).sum())
    false = free[rows.scores[free].topk(min(max(false_count, believed), len(free))).indices]
    return torch.cat([kept, false])
