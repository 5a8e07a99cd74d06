"""Losses of the published training (method.md 13.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.errors import UserError
from .matching import Assignment, Targets
from .recipe import LossConfig

_BETA_MPS = 3.0


class Term(NamedTuple):
    """One loss of one frame as a weighted sum and what divides it; a batch divides sum by sum (method.md 13.4)."""

    total: Tensor
    divisor: float

    @property
    def value(self) -> Tensor:
        """Loss of this frame alone."""
        return self.total / max(self.divisor, 1.0)


Terms = Mapping[str, Term]


def divisors(frames: Sequence[Terms]) -> dict[str, float]:
    """Return the summed divisor of every loss of several frames, by name in alphabetical order."""
    names = sorted({name for frame in frames for name in frame})
    return {name: sum(frame[name].divisor for frame in frames if name in frame) for name in names}


def combine(frames: Sequence[Terms], divided_by: Mapping[str, float]) -> dict[str, Tensor]:
    """Return every loss of several frames; one that is not a number counts as 0."""
    return {name: torch.nan_to_num(sum(frame[name].total for frame in frames if name in frame)) / max(divisor, 1.0)
            for name, divisor in divided_by.items()}


def focal_loss(logits: Tensor, gt_index: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """Return the summed sigmoid focal loss over all rows and classes; rows with index -1 are background."""
    return class_focal_loss(logits, gt_index, targets.labels, config)


def class_focal_loss(logits: Tensor, index: Tensor, labels: Tensor, config: LossConfig) -> Tensor:
    """Do what ``focal_loss`` does; :param labels: (G,) classes that ``index`` (N,) counts."""
    one_hot = torch.zeros_like(logits)
    matched = index >= 0
    if matched.any():
        one_hot[matched.nonzero().flatten(), labels[index[matched]]] = 1
    probability = logits.sigmoid()
    p_t = torch.where(one_hot > 0, probability, 1 - probability)
    alpha = torch.where(one_hot > 0, config.focal_alpha, 1 - config.focal_alpha)
    entropy = F.binary_cross_entropy_with_logits(logits, one_hot, reduction='none')
    return (alpha * (1 - p_t).pow(config.focal_gamma) * entropy).sum()


def box_loss(codes: Tensor, gt_index: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """
    Return the summed weighted loss over the box codes (metres, logs, sin, cos, m/s) of matched rows.

    It is L1 but for heading and velocity, see ``LossConfig.motion_loss``. What is not known (NaN) costs nothing.
    """
    matched = gt_index >= 0
    if not matched.any():
        return codes.sum() * 0
    truth = targets.codes[gt_index[matched]]
    difference = torch.where(truth.isnan(), 0, codes[matched] - truth.nan_to_num())
    if spreads(config):
        cost = torch.cat([difference[:, :6].abs(), difference[:, 6:8].square(), huber(difference[:, 8:], _BETA_MPS)], 1)
    else:
        cost = difference.abs()
    return (cost * codes.new_tensor(config.code_weights)).sum()


def spreads(config: LossConfig) -> bool:
    """
    Return whether heading and velocity have a loss that no constant satisfies.

    :raises UserError: for an unknown name.
    """
    if config.motion_loss not in ('l1', 'spread'):
        raise UserError(f"motion_loss must be l1 or spread, not '{config.motion_loss}'")
    return config.motion_loss == 'spread'


def huber(difference: Tensor, beta: float) -> Tensor:
    """Return squares / 2 beta up to beta, then a line (smooth L1)."""
    return F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction='none', beta=beta)


def supervised_output(name: str, logits: Tensor, codes: Tensor, assignment: Assignment, targets: Targets,
                      config: LossConfig) -> dict[str, Term]:
    """Return class and box loss of one supervised output with the divisors of the matching (a_c, a_b)."""
    index = assignment.gt_index
    return {
        f'{name}_cls': Term(config.cls_weight * focal_loss(logits, index, targets, config),
                            assignment.num_new + assignment.num_carried),
        f'{name}_box': Term(config.box_weight * box_loss(codes, index, targets, config), int((index >= 0).sum())),
    }


def refined_output(logits: Tensor, codes: Tensor, gt_index: Tensor, targets: Targets,
                   config: LossConfig) -> dict[str, Term]:
    """Return the refinement losses: the same terms divided by the number of positives."""
    positives = int((gt_index >= 0).sum())
    return {
        'ref_cls': Term(config.cls_weight * focal_loss(logits, gt_index, targets, config), positives),
        'ref_box': Term(config.box_weight * box_loss(codes, gt_index, targets, config), positives),
    }


def association_loss(logits: Tensor, label: Tensor, config: LossConfig) -> Tensor:
    """Return the focal association loss, a mean over all pairs; 0 without any positive pair (method.md 13.6)."""
    if label.numel() == 0 or not label.any():
        return logits.sum() * 0
    probability = logits.sigmoid()
    p_t = torch.where(label > 0, probability, 1 - probability)
    entropy = F.binary_cross_entropy_with_logits(logits, label, reduction='none')
    loss = entropy * (1 - p_t).pow(config.association_gamma)
    if config.association_alpha >= 0:
        loss = loss * torch.where(label > 0, config.association_alpha, 1 - config.association_alpha)
    return config.association_weight * loss.mean()
