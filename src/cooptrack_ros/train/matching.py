"""Which prediction is responsible for which object (method.md 13.3, 13.5, 13.6, 9.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..common.types import Boxes
from ..cooperation.matching import match_by_distance
from ..model.instances.boxes import boxes_from_codes
from .recipe import LossConfig


@dataclass(frozen=True)
class Targets:
    """Objects of one frame: box codes (G, 10), labels (G,), identities >= 0 (G,); tensors."""

    codes: Tensor
    labels: Tensor
    ids: Tensor

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.ids)

    def __getitem__(self, index) -> Targets:
        """Return some of the objects."""
        return Targets(self.codes[index], self.labels[index], self.ids[index])

    def boxes(self) -> Boxes:
        """Return the objects as boxes."""
        return boxes_from_codes(self.codes, self.labels, torch.ones(len(self)), self.ids)

    def to(self, device: torch.device) -> Targets:
        """Return the same objects on a device."""
        return Targets(self.codes.to(device), self.labels.to(device), self.ids.to(device))


@dataclass(frozen=True)
class Assignment:
    """Object index per row (N,), -1 for background; ``new`` rows matched now, ``carried`` rows that had an id."""

    gt_index: Tensor
    num_new: int
    num_carried: int


def focal_cost(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """Return the focal matching cost (N, G) of every row for every object's class."""
    probability = logits.sigmoid()
    negative = -(1 - probability + 1e-12).log() * (1 - alpha) * probability.pow(gamma)
    positive = -(probability + 1e-12).log() * alpha * (1 - probability).pow(gamma)
    return (positive - negative)[:, labels]


def matching_cost(logits: Tensor, codes: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """Return the cost (N, G) of every pair of a row, (N, K) and (N, 10), and an object."""
    cost = config.cls_weight * focal_cost(logits, targets.labels, config.focal_alpha, config.focal_gamma)
    return cost + config.box_weight * torch.cdist(codes[:, :8], targets.codes[:, :8], p=1)


@torch.no_grad()
def assign(logits: Tensor, codes: Tensor, row_ids: Tensor, targets: Targets, config: LossConfig) -> Assignment:
    """
    Assign objects to rows: carried tracks keep theirs, the rest by minimum cost over free rows.

    :param logits: (N, K); :param codes: (N, 10) metres; :param row_ids: (N,) object id or -1.
    """
    gt_index = torch.full_like(row_ids, -1)
    carried = row_ids >= 0
    if len(targets) and carried.any():
        same = row_ids[:, None] == targets.ids[None]
        gt_index = torch.where(carried & same.any(1), same.float().argmax(1), gt_index)
    claimed = torch.zeros(len(targets), dtype=torch.bool, device=row_ids.device)
    claimed[gt_index[gt_index >= 0]] = True
    free_rows = torch.nonzero(~carried).flatten()
    free_objects = torch.nonzero(~claimed).flatten()
    if len(free_rows) and len(free_objects):
        cost = matching_cost(logits[free_rows], codes[free_rows], targets[free_objects], config)
        rows, columns = linear_sum_assignment(torch.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6).cpu().numpy())
        gt_index[free_rows[rows]] = free_objects[columns]
        return Assignment(gt_index, len(rows), int(carried.sum()))
    return Assignment(gt_index, 0, int(carried.sum()))


def nearest_bev_iou(codes: Tensor, other: Tensor) -> Tensor:
    """Return the IoU (N,) of axis-aligned nearest BEV boxes of paired box codes (method.md 13.3, step 4)."""
    def edges(code: Tensor) -> tuple[Tensor, Tensor]:
        yaw = torch.atan2(code[:, 6], code[:, 7])
        folded = (yaw - torch.floor(yaw / np.pi + 0.5) * np.pi).abs()
        size = code[:, 2:4].exp()
        size = torch.where((folded > np.pi / 4)[:, None], size.flip(1), size)
        return code[:, :2] - size / 2, code[:, :2] + size / 2
    (low_a, high_a), (low_b, high_b) = edges(codes), edges(other)
    overlap = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(1)
    union = (high_a - low_a).prod(1) + (high_b - low_b).prod(1) - overlap
    return overlap / union.clamp(min=1e-6)


def association_labels(veh_codes: Tensor, infra_codes: Tensor, targets: Targets, gate_m: float) -> Tensor:
    """Return (N, M) with 1 where a vehicle row and a roadside instance stand for the same object (method.md 13.6)."""
    label = veh_codes.new_zeros(len(veh_codes), len(infra_codes))
    veh_rows, veh_objects = match_by_distance(veh_codes[:, :2], targets.codes[:, :2], gate_m)
    inf_rows, inf_objects = match_by_distance(infra_codes[:, :2], targets.codes[:, :2], gate_m)
    row_of_object = dict(zip(inf_objects.tolist(), inf_rows.tolist(), strict=True))
    for row, obj in zip(veh_rows.tolist(), veh_objects.tolist(), strict=True):
        if obj in row_of_object:
            label[row, row_of_object[obj]] = 1
    return label
