"""Fusion of BEV features: those of a roadside unit are warped into the vehicle's grid and join its own."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.config import ModelConfig


def warp_grid(config: ModelConfig, ego_from_infra: np.ndarray) -> Tensor:
    """
    Return where in the grid of a unit the centre of each cell of the vehicle's lies, (rows, columns, 2) in -1..1.

    Centres are taken on the plane z = 0 of the vehicle's lidar frame, by the whole pose: roll and pitch count.

    :param ego_from_infra: (4, 4) of lidar points, maybe not rigid.
    """
    rows, columns = config.bev_size
    x0, y0, _, x1, y1, _ = config.ego_range.pc_range
    x, y = np.meshgrid(x0 + (np.arange(columns) + 0.5) * (x1 - x0) / columns,
                       y0 + (np.arange(rows) + 0.5) * (y1 - y0) / rows)
    points = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1) @ np.linalg.inv(ego_from_infra).T
    x0, y0, _, x1, y1, _ = config.infra_range.pc_range
    return torch.from_numpy((2 * (points[..., :2] - [x0, y0]) / [x1 - x0, y1 - y0] - 1).astype(np.float32))


def warp(features: Tensor, grids: Tensor) -> Tensor:
    """Return features (B, C, rows, columns) of units in vehicles' grids (B, rows, columns, 2); 0 where they end."""
    return F.grid_sample(features, grids, mode='bilinear', padding_mode='zeros', align_corners=False)


class BevFusion(nn.Module):
    """
    B + conv1x1(relu(norm(conv3x3(relu(norm(conv3x3([B ; warped G]))))))).

    The last layer starts at 0, so an untrained one leaves the vehicle's features as they are.
    """

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims = config.embed_dims
        self.config = config
        self.layers = nn.Sequential(
            nn.Conv2d(2 * dims, dims, 3, padding=1, bias=False), nn.BatchNorm2d(dims), nn.ReLU(),
            nn.Conv2d(dims, dims, 3, padding=1, bias=False), nn.BatchNorm2d(dims), nn.ReLU(), nn.Conv2d(dims, dims, 1))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, ego: Tensor, infra: Tensor, poses: list[np.ndarray]) -> Tensor:
        """
        Return fused BEV features (B, cells, C).

        :param ego: of vehicles (B, cells, C); :param infra: of units (B, cells, C), 0 where they sent nothing;
        :param poses: ``ego_from_infra`` of each.
        """
        grids = torch.stack([warp_grid(self.config, pose) for pose in poses]).to(infra)
        own, others = (maps.transpose(1, 2).unflatten(2, self.config.bev_size) for maps in (ego, infra))
        return (own + self.layers(torch.cat([own, warp(others, grids)], 1))).flatten(2).transpose(1, 2)
