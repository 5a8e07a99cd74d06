"""Losses of the published training (model.md 13.4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .matching import Assignment, Targets
from .recipe import LossConfig


def focal_loss(logits: Tensor, gt_index: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """Return the summed sigmoid focal loss over all rows and classes; rows with index -1 are background."""
    one_hot = torch.zeros_like(logits)
    matched = gt_index >= 0
    if matched.any():
        one_hot[matched.nonzero().flatten(), targets.labels[gt_index[matched]]] = 1
    probability = logits.sigmoid()
    p_t = torch.where(one_hot > 0, probability, 1 - probability)
    alpha = torch.where(one_hot > 0, config.focal_alpha, 1 - config.focal_alpha)
    entropy = F.binary_cross_entropy_with_logits(logits, one_hot, reduction='none')
    return (alpha * (1 - p_t).pow(config.focal_gamma) * entropy).sum()


def box_loss(codes: Tensor, gt_index: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """Return the summed weighted L1 over the box codes (metres, logs, sin, cos, m/s) of matched rows."""
    matched = gt_index >= 0
    if not matched.any():
        return codes.sum() * 0
    difference = (codes[matched] - targets.codes[gt_index[matched]]).abs()
    return (difference * codes.new_tensor(config.code_weights)).sum()


def supervised_output(name: str, logits: Tensor, codes: Tensor, assignment: Assignment, targets: Targets,
                      config: LossConfig) -> dict[str, Tensor]:
    """Return class and box loss of one supervised output with the divisors of the matching (a_c, a_b)."""
    num_class = max(assignment.num_new + assignment.num_carried, 1)
    num_box = max(int((assignment.gt_index >= 0).sum()), 1)
    return {
        f'{name}_cls': config.cls_weight * focal_loss(logits, assignment.gt_index, targets, config) / num_class,
        f'{name}_box': config.box_weight * box_loss(codes, assignment.gt_index, targets, config) / num_box,
    }


def refined_output(logits: Tensor, codes: Tensor, gt_index: Tensor, targets: Targets,
                   config: LossConfig) -> dict[str, Tensor]:
    """Return the refinement losses: the same terms divided by the number of positives."""
    positives = max(int((gt_index >= 0).sum()), 1)
    return {
        'ref_cls': config.cls_weight * focal_loss(logits, gt_index, targets, config) / positives,
        'ref_box': config.box_weight * box_loss(codes, gt_index, targets, config) / positives,
    }


def association_loss(logits: Tensor, label: Tensor, config: LossConfig) -> Tensor:
    """Return the focal association loss, a mean over all pairs; 0 without any positive pair (13.6)."""
    if label.numel() == 0 or not label.any():
        return logits.sum() * 0
    probability = logits.sigmoid()
    p_t = torch.where(label > 0, probability, 1 - probability)
    entropy = F.binary_cross_entropy_with_logits(logits, label, reduction='none')
    loss = entropy * (1 - p_t).pow(config.association_gamma)
    if config.association_alpha >= 0:
        loss = loss * torch.where(label > 0, config.association_alpha, 1 - config.association_alpha)
    return config.association_weight * loss.mean()
