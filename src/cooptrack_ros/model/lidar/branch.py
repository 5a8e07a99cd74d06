"""The point cloud branch of a tracker: what the cloud shows joins the BEV features of the cameras through a gate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.config import ModelConfig
from ...common.types import Side
from .encoder import PillarEncoder, conv_norm
from .pillars import Clouds, PillarGrid
from .sizes import LidarSizes


class LidarBranch(nn.Module):
    """
    B = B_cam + gate * W2 relu(LN(W1 [B_cam; B_lid])), cell by cell.

    With the gate at 0 the BEV features are those of the cameras. Without a cloud a learned map takes the place of
    B_lid, so that a tracker goes on when the sensor stops.
    """

    def __init__(self, config: ModelConfig, side: Side, sizes: LidarSizes, gate: float = 0.0):
        """Create the layers; :param gate: its first value."""
        super().__init__()
        dims, (rows, columns) = config.embed_dims, config.bev_size
        self.sizes = sizes
        self.encoder = PillarEncoder(PillarGrid.of(config, side), sizes)
        self.bev = conv_norm(sizes.code_dims, dims, 3, 2)
        self.missing = nn.Parameter(torch.zeros(rows * columns, dims))
        self.both = nn.Linear(2 * dims, dims)
        self.norm = nn.LayerNorm(dims)
        self.output = nn.Linear(dims, dims)
        self.gate = nn.Parameter(torch.tensor(float(gate)))

    def cloud_bev(self, clouds: Sequence[Tensor | None]) -> Tensor:
        """Return (B, cells, C) of points (N, 4) in the lidar frame, or of None."""
        there = [k for k, points in enumerate(clouds) if points is not None]
        if not there:
            return self.missing.expand(len(clouds), -1, -1)
        points = torch.cat([clouds[k] for k in there]).to(self.missing.device)
        owner = torch.repeat_interleave(torch.tensor([len(clouds[k]) for k in there], device=points.device))
        found = self.bev(self.encoder(Clouds(points, owner, len(there)))).flatten(2).transpose(1, 2)
        known = dict(zip(there, found, strict=True))
        return torch.stack([known.get(k, self.missing) for k in range(len(clouds))])

    def forward(self, camera: Tensor, clouds: Sequence[Tensor | None]) -> Tensor:
        """Return BEV features (B, cells, C) of those of the cameras (B, cells, C) and the cloud of each."""
        both = self.both(torch.cat([camera, self.cloud_bev(clouds)], -1))
        return camera + self.gate * self.output(F.relu(self.norm(both)))
