"""Motion features from coarse boxes (method.md 6.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..layers import normed_stack
from .boxes import corner_offsets, decode_codes


class MotionExtractor(nn.Module):
    """A point net over the box corners and a net over yaw and velocity, fused."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims, width = config.embed_dims, config.point_dims
        self.corner_net = normed_stack(3, width, width, dims)
        self.velocity_net = normed_stack(3, width, width, dims)
        self.fusion = normed_stack(2 * dims, dims)

    def forward(self, codes: Tensor) -> Tensor:
        """Return (..., C) of box codes (..., 10)."""
        decoded = decode_codes(codes)
        shape = self.corner_net(corner_offsets(decoded)).amax(dim=-2)
        return self.fusion(torch.cat([shape, self.velocity_net(decoded[..., 6:])], dim=-1))
