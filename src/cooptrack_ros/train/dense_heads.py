"""
Detection heads that exist only in training.

They give the image features and the BEV features a dense signal (centre heatmaps as in CenterNet,
arXiv:1904.07850), which a set-based loss alone takes far longer to provide. Inference never sees them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..common.geometry import box_corners, project_points
from ..common.types import Boxes

_SQUARES_WEIGHT = 4.0
_REFERENCE_FOCAL_PX = 250.0
"""Depth is regressed as if every camera had this focal length, because the features see angles only."""


@dataclass(frozen=True)
class DenseTargets:
    """Heatmap (K, H, W) and, per object, its cell (G, 2; row, column) and regression values (G, R)."""

    heatmap: Tensor
    cells: Tensor
    values: Tensor

    def to(self, device: torch.device) -> DenseTargets:
        """Return the same targets on a device."""
        return DenseTargets(self.heatmap.to(device), self.cells.to(device), self.values.to(device))


class DenseHead(nn.Module):
    """
    Two convolutions from a feature map (B, C, H, W) to class heatmap logits and regression maps.

    The first ``num_values`` less ``num_motions`` regressed values have an L1 loss; the others, which say how an object
    is turned and moves, have one that no constant satisfies where ``spreads`` (``LossConfig.motion_loss``).
    """

    def __init__(self, channels: int, num_classes: int, num_values: int, num_motions: int, spreads: bool):
        """Create the layers; the heatmap starts at probability 0.05."""
        super().__init__()
        self.num_classes, self._lengths = num_classes, num_values - num_motions if spreads else num_values
        self.hidden = nn.Conv2d(channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, num_classes + num_values, 1)
        nn.init.constant_(self.out.bias[:num_classes], -2.9)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return heatmap logits (B, K, H, W) and values (B, R, H, W)."""
        out = self.out(F.relu(self.hidden(features)))
        return out[:, :self.num_classes], out[:, self.num_classes:]

    def loss(self, features: Tensor, targets: list[DenseTargets]) -> Tensor:
        """Return penalty-reduced focal loss plus the regression loss at the objects, both per object."""
        logits, values = self(features)
        total = logits.new_zeros(())
        for index, target in enumerate(t.to(features.device) for t in targets):
            count = max(len(target.cells), 1)
            total = total + heatmap_loss(logits[index], target.heatmap) / count
            if len(target.cells):
                at = values[index][:, target.cells[:, 0], target.cells[:, 1]].T
                difference = torch.where(target.values.isnan(), 0, at - target.values.nan_to_num())
                lengths, motions = difference[:, :self._lengths], difference[:, self._lengths:]
                total = total + (lengths.abs().sum() + _SQUARES_WEIGHT * motions.square().sum()) / count
        return total / len(targets)


def heatmap_loss(logits: Tensor, heatmap: Tensor) -> Tensor:
    """Return the summed penalty-reduced focal loss of one heatmap."""
    probability = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    positive = heatmap >= 1
    loss = torch.where(
        positive,
        -(1 - probability).pow(2) * probability.log(),
        -(1 - heatmap).pow(4) * probability.pow(2) * (1 - probability).log())
    return loss.sum()


IMAGE_VALUES, IMAGE_MOTIONS = 8, 2


def image_targets(boxes: Boxes, img_from_lidar: np.ndarray, input_size: tuple[int, int],
                  map_size: tuple[int, int], num_classes: int) -> DenseTargets:
    """
    Return targets on the image features: offset (2), log depth, log l, w, h, sin and cos of the viewed yaw.

    :param img_from_lidar: 4x4 to pixels of the network input; yaw is relative to the viewing ray.
    """
    centre, depth = project_points(img_from_lidar, boxes.centre)
    corners, corner_depth = project_points(img_from_lidar, box_corners(boxes))
    scale = np.array([map_size[1] / input_size[1], map_size[0] / input_size[0]])
    position = centre * scale
    inside = ((depth > 1) & (corner_depth.min(axis=1, initial=np.inf) > 0.5) & (position >= 0).all(axis=1)
              & (position[:, 0] < map_size[1]) & (position[:, 1] < map_size[0]))
    extent = (corners.max(axis=1, initial=-1e9) - corners.min(axis=1, initial=1e9)) * scale
    focal = np.linalg.norm(img_from_lidar[0, :3])
    viewed = boxes.yaw - np.arctan2(boxes.centre[:, 1], boxes.centre[:, 0])
    cells = np.floor(position).astype(int)
    values = np.concatenate([
        position - cells, np.log(np.maximum(depth, 1) * _REFERENCE_FOCAL_PX / focal)[:, None] - 3.0,
        np.log(boxes.size), np.sin(viewed)[:, None], np.cos(viewed)[:, None]], axis=1)
    order = np.argsort(-depth[inside], kind='stable')
    return _dense_targets(position[inside][order], extent[inside][order] / 6, boxes.label[inside][order],
                          values[inside][order], map_size, num_classes)


BEV_VALUES, BEV_MOTIONS = 10, 4


def bev_targets(boxes: Boxes, pc_range: tuple[float, ...], map_size: tuple[int, int],
                num_classes: int) -> DenseTargets:
    """
    Return targets on the BEV grid: offset (2), bottom z, log l, w, h, sin, cos of the yaw, velocity (2) / 5.

    An unknown velocity is NaN.
    """
    cell = np.array([(pc_range[3] - pc_range[0]) / map_size[1], (pc_range[4] - pc_range[1]) / map_size[0]])
    position = (boxes.centre[:, :2] - pc_range[:2]) / cell
    inside = (position >= 0).all(axis=1) & (position[:, 0] < map_size[1]) & (position[:, 1] < map_size[0])
    cells = np.floor(position)
    values = np.concatenate([
        position - cells, (boxes.centre[:, 2] - boxes.size[:, 2] / 2)[:, None], np.log(boxes.size),
        np.sin(boxes.yaw)[:, None], np.cos(boxes.yaw)[:, None], boxes.velocity / 5], axis=1)
    sigma = np.full((len(boxes), 2), 0.7)
    return _dense_targets(position[inside], sigma[inside], boxes.label[inside], values[inside], map_size, num_classes)


def _dense_targets(position, sigma, label, values, map_size, num_classes) -> DenseTargets:
    heatmap = np.zeros((num_classes, *map_size), np.float32)
    rows = np.arange(map_size[0])[:, None] + 0.5
    columns = np.arange(map_size[1])[None] + 0.5
    cells = np.floor(position).astype(int)[:, ::-1].copy()
    for (row, column), spread, k in zip(cells, np.clip(sigma, 0.5, 4.0), label, strict=True):
        bump = np.exp(-((columns - column - 0.5) ** 2 / (2 * spread[0] ** 2)
                        + (rows - row - 0.5) ** 2 / (2 * spread[1] ** 2)))
        np.maximum(heatmap[k], bump, out=heatmap[k])
        heatmap[k, row, column] = 1
    return DenseTargets(torch.from_numpy(heatmap), torch.from_numpy(cells.astype(np.int64)),
                        torch.from_numpy(values.astype(np.float32)))
