"""From image and BEV features to a coarse volume, and from that to features of every voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.config import ModelConfig
from ...occupancy.grids import GRIDS, Grid
from ..bev.geometry import project_into_inputs
from .sizes import OccupancySizes


@dataclass(frozen=True)
class VolumeGeometry:
    """
    Where coarse voxels fall in the cameras; they are counted as BEV cells (row by row), then along the height.

    ``points`` (V, cells, heights, 2) are fractions of the padded input, ``visible`` (V, cells, heights) says which
    lie inside.
    """

    points: Tensor
    visible: Tensor


def volume_geometry(coarse: Grid, img_from_lidar: np.ndarray, input_size: tuple[int, int],
                    device: torch.device | str = 'cpu') -> VolumeGeometry:
    """
    Project the centres of the voxels of a coarse grid.

    :param img_from_lidar: (V, 4, 4) to pixels of the network input of ``input_size`` rows and columns.
    """
    # BEV cells run along x first.
    centres = torch.from_numpy(coarse.all_centres().astype(np.float32)).transpose(0, 1).flatten(0, 1)
    points, visible = project_into_inputs(centres, img_from_lidar, input_size)
    return VolumeGeometry(points.to(device), visible.to(device))


class ConvNorm(nn.Sequential):
    """3D convolution that keeps the size, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int]):
        """Create the layers."""
        super().__init__(nn.Conv3d(inputs, outputs, kernel, padding=tuple(k // 2 for k in kernel), bias=False),
                         nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))


class VolumeLift(nn.Module):
    """
    Coarse volume whose columns are the BEV cells.

    What a voxel sees in the images tells its height, what the BEV features know of its cell also the past.
    """

    def __init__(self, config: ModelConfig, sizes: OccupancySizes):
        """Create the layers."""
        super().__init__()
        self.bev_size, self.heights = config.bev_size, GRIDS[sizes.profile].vehicle.shape[2]
        self.image = nn.Linear(config.embed_dims, sizes.lift_dims, bias=False)
        self.bev = nn.Linear(config.embed_dims, sizes.lift_dims)
        self.height_embed = nn.Embedding(self.heights, sizes.lift_dims)
        self.first = ConvNorm(sizes.lift_dims, sizes.volume_dims, (3, 3, 3))
        self.second = ConvNorm(sizes.volume_dims, sizes.volume_dims, (3, 3, 3))

    def forward(self, features: Tensor, bev: Tensor, geometry: VolumeGeometry) -> Tensor:
        """
        Return the volume (B, volume_dims, columns, rows, heights): along x, y, z.

        :param features: (B, V, C, h, w) of the images; :param bev: (B, cells, C), row by row.
        """
        # Linear layers and means over samples commute, so the narrow features are sampled.
        narrow = self.image(features.movedim(2, -1)).movedim(-1, 2)
        known = self.bev(bev)[:, :, None] + self.height_embed.weight
        evidence = F.relu(self._seen(narrow, geometry) + known)
        rows, columns = self.bev_size
        # The one place where rows and columns become y and x.
        volume = evidence.unflatten(1, (rows, columns)).permute(0, 4, 2, 1, 3)
        coarse = self.first(volume.contiguous())
        return coarse + self.second(coarse)

    def _seen(self, features: Tensor, geometry: VolumeGeometry) -> Tensor:
        """Return (B, cells, heights, C): mean over the cameras that see a voxel of their features there."""
        seen, counts = 0.0, geometry.visible.sum(0).clamp(min=1)
        for camera in range(features.shape[1]):
            grid = (2 * geometry.points[camera] - 1).expand(len(features), -1, -1, -1)
            sampled = F.grid_sample(features[:, camera], grid, mode='bilinear', padding_mode='zeros',
                                    align_corners=False)
            seen = seen + sampled * geometry.visible[camera]
        return (seen / counts).movedim(1, -1)


class MaskFeatures(nn.Module):
    """Features of every voxel: two stages that double the volume in x and y."""

    def __init__(self, sizes: OccupancySizes):
        """Create the layers."""
        super().__init__()
        self.first = ConvNorm(sizes.volume_dims, sizes.mask_dims[0], (3, 3, 1))
        self.second = ConvNorm(*sizes.mask_dims, (3, 3, 1))

    def forward(self, volume: Tensor) -> Tensor:
        """Return (B, mask_dims, X, Y, Z) of a coarse volume."""
        for stage in (self.first, self.second):
            volume = stage(F.interpolate(volume, scale_factor=(2, 2, 1), mode='nearest'))
        return volume
