"""The encoder of point clouds, one class for pretraining and for trackers: pillars, three stages, a neck."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .pillars import Clouds, PillarGrid, PillarNet
from .sizes import LidarSizes


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch norm, ReLU; a kernel of 3 keeps the size, one of 2 tiles it."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class PillarEncoder(nn.Module):
    """From points to codes of half a BEV cell; the grid says where, no weight depends on it."""

    def __init__(self, grid: PillarGrid, sizes: LidarSizes):
        """Create the layers."""
        super().__init__()
        self.grid, self.sizes = grid, sizes
        self.pillars = PillarNet(grid, sizes.point_dims)
        self.stages, inputs = nn.ModuleList(), sizes.point_dims
        for layers, width in sizes.stages:
            self.stages.append(nn.Sequential(*(
                conv_norm(inputs if k == 0 else width, width, 3, 2 if k == 0 else 1) for k in range(layers))))
            inputs = width
        (_, first), (_, second), (_, third) = sizes.stages
        self.neck = nn.ModuleList([
            conv_norm(first, sizes.neck_dims, 2, 2), conv_norm(second, sizes.neck_dims, 1),
            nn.Sequential(nn.ConvTranspose2d(third, sizes.neck_dims, 2, 2, bias=False),
                          nn.BatchNorm2d(sizes.neck_dims), nn.ReLU(inplace=True))])

    def forward(self, clouds: Clouds) -> Tensor:
        """Return (B, code_dims, rows, columns) with four pillars along a cell."""
        return self.codes(self.pillars(clouds))

    def codes(self, pillars: Tensor) -> Tensor:
        """Return the same of a map of pillars (B, point_dims, rows, columns)."""
        found, features = [], pillars
        for stage in self.stages:
            features = stage(features)
            found.append(features)
        return torch.cat([join(stage) for join, stage in zip(self.neck, found, strict=True)], 1)
