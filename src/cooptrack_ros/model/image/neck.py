"""One-level feature pyramid (method.md 3)."""

from __future__ import annotations

from torch import Tensor, nn


class Neck(nn.Module):
    """A 1x1 and a 3x3 convolution that bring image features to the width of the network."""

    def __init__(self, inputs: int, dims: int):
        """Create the layers."""
        super().__init__()
        self.lateral = nn.Conv2d(inputs, dims, 1)
        self.output = nn.Conv2d(dims, dims, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, dims, h, w)."""
        return self.output(self.lateral(x))
