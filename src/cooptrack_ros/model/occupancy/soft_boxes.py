"""Boxes that are known of things as a start for their masks: logits that fall with the distance from the box."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..instances.boxes import STATE
from ..layers import plain_head

_SLOPE = 4.0
"""Logits a metre, before training."""
_LOWEST, _HIGHEST = -8.0, 4.0
"""Of the logits of a box: what is far from it needs no more, and inside the features of voxels may object."""


@dataclass(frozen=True)
class SoftBoxes:
    """
    Boxes of N queries, of which some may have none.

    ``rows`` (B, N, 10): centre in metres from the lowest corner of the grid, half of length, width and height,
    direction of the length (2), logits a metre, logit at the edge; all 0 for a query without a box. ``voxel`` is the
    size of a voxel in metres.
    """

    rows: Tensor
    voxel: tuple[float, float, float]

    def chosen(self, queries: Tensor) -> SoftBoxes:
        """Return those of some queries, given by number."""
        return SoftBoxes(self.rows[:, queries], self.voxel)

    def logits(self, batch: int, queries: Tensor, shape: torch.Size) -> Tensor:
        """Return (M, X, Y, Z) for M queries given by number: 0 half a voxel outside a box, or where there is none."""
        rows = self.rows[batch, queries]
        centre, half, direction, terms = rows.split((3, 3, 2, 2), dim=1)
        x, y, z = ((torch.arange(n, device=rows.device) + 0.5) * size - centre[:, a:a + 1]
                   for a, (n, size) in enumerate(zip(shape, self.voxel)))
        x, y, c, s = x[:, :, None], y[:, None], direction[:, :1, None], direction[:, 1:, None]
        # A voxel is of a thing that touches it, not only of one that holds its centre.
        half = half + half.new_tensor([max(self.voxel[:2])] * 2 + [self.voxel[2]]) / 2
        along, across = (c * x + s * y).abs() - half[:, :1, None], (c * y - s * x).abs() - half[:, 1:2, None]
        slope, offset = terms[:, :1], terms[:, 1:]
        flat = _logits(torch.maximum(along, across), slope[..., None], offset[..., None])
        upright = _logits(z.abs() - half[:, 2:], slope, offset)
        # The farther of both directions counts; the many voxels are touched once only.
        return torch.minimum(flat[..., None], upright[:, None, None])


def _logits(outside: Tensor, slope: Tensor, offset: Tensor) -> Tensor:
    return (offset - slope * outside).clamp(_LOWEST, _HIGHEST)


class BoxShapes(nn.Module):
    """
    Says from the features of things how their masks differ from their boxes; before training they do not.

    ``mask_embed`` bends them by the features of voxels, in layers of its own: what those of stuff learn in the first
    steps would drown the boxes.
    """

    def __init__(self, dims: int, mask_dims: int):
        """Create the layers."""
        super().__init__()
        self.mask_embed = plain_head(dims, mask_dims)
        self.terms = nn.Linear(dims, 2)
        for layer in (self.mask_embed[-1], self.terms):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, feats: Tensor, centre: Tensor, codes: Tensor) -> Tensor:
        """
        Return the rows (B, N, 10) of ``SoftBoxes``, sharper and larger as the features say.

        :param feats: (B, N, C); :param centre: (B, N, 3) in metres from the lowest corner of the grid.
        :param codes: (B, N, 10) of the boxes, of which size and heading count.
        """
        half = torch.stack([codes[..., 3], codes[..., 2], codes[..., 5]], dim=-1).exp() / 2
        # Minus the heading: a box looks the same from behind.
        direction = nn.functional.normalize(codes[..., STATE.start:STATE.start + 2], dim=-1)
        slope, offset = self.terms(feats).split(1, dim=-1)
        # Not steeper than twice the start: a mask learns only where its logits are not cut off.
        return torch.cat([centre, half, direction, 2 * _SLOPE * slope.sigmoid(), offset], dim=-1)
