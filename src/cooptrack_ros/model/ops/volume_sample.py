"""Trilinear samples of a volume."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def sample_volume(volume: Tensor, locations: Tensor) -> Tensor:
    """
    Return samples (B, C, N, P) of a volume at locations; outside it is 0.

    :param volume: (B, C, X, Y, Z); :param locations: (B, N, P, 3) x, y, z, where 0 to 1 spans the whole volume.
    """
    # The kernel wants the position along the last axis first.
    grid = (2 * locations - 1).flip(-1)[:, :, :, None]
    return F.grid_sample(volume, grid, mode='bilinear', padding_mode='zeros', align_corners=False)[..., 0]
