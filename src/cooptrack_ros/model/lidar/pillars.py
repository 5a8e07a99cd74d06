"""Points gathered in pillars: upright columns over the cells of a fine grid, of any number of points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.config import ModelConfig
from ...common.types import Side
from .sizes import PILLARS_PER_CELL

POINT_FEATURES = 9


@dataclass(frozen=True)
class PillarGrid:
    """
    Where pillars stand: ``low`` and ``high`` (3,) metres in the lidar frame, ``shape`` rows (y) and columns (x).

    Axes are those of BEV features.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    shape: tuple[int, int]

    @staticmethod
    def of(config: ModelConfig, side: Side) -> PillarGrid:
        """Return the grid over the range of a side."""
        pc_range, (rows, columns) = config.range_of(side).pc_range, config.bev_size
        return PillarGrid(tuple(pc_range[:3]), tuple(pc_range[3:]),
                          (PILLARS_PER_CELL * rows, PILLARS_PER_CELL * columns))

    @property
    def step(self) -> tuple[float, float]:
        """Size of a pillar along x and y, metres."""
        return ((self.high[0] - self.low[0]) / self.shape[1], (self.high[1] - self.low[1]) / self.shape[0])

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Tell (N,) which points (N, 3 or more) lie in the range."""
        return ((points[:, :3] >= self.low) & (points[:, :3] < self.high)).all(1)


@dataclass(frozen=True)
class Clouds:
    """Points of ``count`` clouds: ``points`` (N, 4) x, y, z, intensity, and whose they are (N,) int64."""

    points: Tensor
    cloud: Tensor
    count: int

    @staticmethod
    def of(clouds: Sequence[np.ndarray], device: torch.device | str = 'cpu') -> Clouds:
        """Join clouds (N, 4)."""
        points = torch.from_numpy(np.concatenate([np.zeros((0, 4), np.float32), *clouds]).astype(np.float32))
        owner = torch.repeat_interleave(torch.arange(len(clouds)), torch.tensor([len(c) for c in clouds]))
        return Clouds(points.to(device), owner.to(device), len(clouds))


class PillarNet(nn.Module):
    """A small network over points, and the largest of each of its features over those of a pillar."""

    def __init__(self, grid: PillarGrid, dims: int):
        """Create the layers."""
        super().__init__()
        self.grid, self.dims = grid, dims
        self.linear = nn.Linear(POINT_FEATURES, dims, bias=False)
        self.norm = nn.BatchNorm1d(dims)

    def forward(self, clouds: Clouds) -> Tensor:
        """Return the map (B, dims, rows, columns); a pillar without points is 0, and so is what lies out of range."""
        rows, columns = self.grid.shape
        flat = clouds.points.new_zeros(clouds.count * rows * columns, self.dims)
        points, pillar, column, row = self._placed(clouds)
        # The statistics of a single point are none.
        if len(points) > (1 if self.training else 0):
            features = F.relu(self.norm(self.linear(self._features(points, pillar, column, row))))
            flat = flat.scatter_reduce(0, pillar[:, None].expand(-1, self.dims), features.to(flat.dtype), 'amax')
        return flat.view(clouds.count, rows, columns, self.dims).permute(0, 3, 1, 2)

    def _placed(self, clouds: Clouds) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the points in range with the number of their pillar, its column and its row."""
        low, high = clouds.points.new_tensor(self.grid.low), clouds.points.new_tensor(self.grid.high)
        xyz = clouds.points[:, :3]
        inside = ((xyz >= low) & (xyz < high)).all(1)
        points, cloud = clouds.points[inside], clouds.cloud[inside]
        (rows, columns), (dx, dy) = self.grid.shape, self.grid.step
        # Just below the end of the range a quotient may be rounded to it.
        column = ((points[:, 0] - low[0]) / dx).long().clamp_(max=columns - 1)
        row = ((points[:, 1] - low[1]) / dy).long().clamp_(max=rows - 1)
        return points, (cloud * rows + row) * columns + column, column, row

    def _features(self, points: Tensor, pillar: Tensor, column: Tensor, row: Tensor) -> Tensor:
        """
        Return (N, 9): place and intensity, offset to the mean of the pillar, offset to its centre.

        Places are shares of half the range, offsets along x and y of half a pillar.
        """
        low, high = points.new_tensor(self.grid.low), points.new_tensor(self.grid.high)
        middle, half = (low + high) / 2, (high - low) / 2
        size = points.new_tensor([*self.grid.step, 2.0])
        _, number, counts = torch.unique(pillar, return_inverse=True, return_counts=True)
        sums = points.new_zeros(len(counts), 3).index_add(0, number, points[:, :3])
        from_mean = points[:, :3] - (sums / counts[:, None])[number]
        centre = torch.stack([column, row], 1) * size[:2] + low[:2] + size[:2] / 2
        return torch.cat([(points[:, :3] - middle) / half, points[:, 3:], 2 * from_mean / size,
                          2 * (points[:, :2] - centre) / size[:2]], 1)
