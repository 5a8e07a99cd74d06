"""Deformable attention with merged layers: by rows of a table on a CPU, by grid elsewhere (method.md 4.5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BEFORE, _AFTER = 1, 2
"""Empty cells around a map: a place clamped onto them reads zeros, without a mask for what lies outside."""


class Samples(NamedTuple):
    """Where and how strongly Q queries sample; S samples of every head, map by map."""

    x: Tensor
    """(Q, heads, S) columns, see ``places`` of the maps."""
    y: Tensor
    """(Q, heads, S) rows."""
    weights: Tensor
    """(Q, heads, S)."""


class BorderedMaps:
    """Samples one or more maps of the same size, each head on its own channels."""

    def __init__(self, map_size: tuple[int, int], heads: int, points: int, maps: int = 1):
        """
        Prepare for maps of ``map_size`` rows x columns.

        :param points: samples of every head in each map.
        """
        self.heads, self.map_size = heads, map_size
        self.height, self.width = (n + _BEFORE + _AFTER for n in map_size)
        origins = torch.arange(maps).repeat_interleave(points) * (self.height * self.width * heads)
        self._origins = (torch.arange(heads)[:, None] + origins).float()

    def places(self, fractions: Tensor) -> Tensor:
        """Return places (..., 2) x before y in the bordered map of positions in 0..1 over the map."""
        return _cells(fractions, self.map_size) + (_BEFORE - 0.5)

    def table(self, *values: Tensor) -> Tensor:
        """Return (maps * height * width * heads, C / heads), what ``sample`` reads, of maps (cells, C)."""
        channels = values[0].shape[-1]
        table = values[0].new_zeros(len(values), self.height, self.width, channels)
        for bordered, value in zip(table, values, strict=True):
            bordered[_BEFORE:-_AFTER, _BEFORE:-_AFTER] = value.view(*self.map_size, channels)
        return table.view(-1, channels // self.heads)

    def sample(self, table: Tensor, samples: Samples) -> Tensor:
        """Return (Q, C): the weighted sums of what the maps hold between their cells, zero outside."""
        rows, columns = self.map_size
        # NaN would become an address; the weights of such a query are NaN too and keep its result so.
        x = samples.x.nan_to_num(0.0).clamp_(0, columns + _BEFORE)
        y = samples.y.nan_to_num(0.0).clamp_(0, rows + _BEFORE)
        left, top = x.floor(), y.floor()
        x.sub_(left)
        y.sub_(top)
        corner = left.add_(top, alpha=self.width).mul_(self.heads).add_(self._origins).to(torch.int32)
        below = samples.weights * y
        above = samples.weights - below
        above_right, below_right = above * x, below * x
        right, down = self.heads, self.width * self.heads
        index = torch.cat([corner, corner + right, corner + down, corner + (down + right)], dim=-1)
        shares = torch.cat([above - above_right, above_right, below - below_right, below_right], dim=-1)
        bags = (index.shape[0] * self.heads, index.shape[-1])
        return F.embedding_bag(index.view(bags), table, mode='sum',
                               per_sample_weights=shares.view(bags)).view(index.shape[0], -1)


class GridMaps:
    """Same as ``BorderedMaps`` with ``grid_sample``: for GPUs and for graphs that are exported."""

    def __init__(self, map_size: tuple[int, int], heads: int, points: int, maps: int = 1):
        """
        Prepare for maps of ``map_size`` rows x columns.

        :param points: samples of every head in each map.
        """
        self.heads, self.map_size, self._points, self._maps = heads, map_size, points, maps

    def places(self, fractions: Tensor) -> Tensor:
        """Return places (..., 2) x before y, in cells from the first edge, of positions in 0..1 over the map."""
        return _cells(fractions, self.map_size)

    def table(self, *values: Tensor) -> Tensor:
        """Return (heads * maps, C / heads, rows, columns), what ``sample`` reads, of maps (cells, C)."""
        stacked = torch.stack(values).view(self._maps, *self.map_size, self.heads, -1)
        return stacked.permute(3, 0, 4, 1, 2).flatten(0, 1)

    def sample(self, table: Tensor, samples: Samples) -> Tensor:
        """Return (Q, C): the weighted sums of what the maps hold between their cells, zero outside."""
        rows, columns = self.map_size
        grid = torch.stack([samples.x * (2 / columns) - 1, samples.y * (2 / rows) - 1], dim=-1)
        sampled = F.grid_sample(table, self._per_map(grid), mode='bilinear', padding_mode='zeros', align_corners=False)
        summed = (sampled * self._per_map(samples.weights)[:, None]).sum(-1)
        return summed.unflatten(0, (self.heads, self._maps)).sum(1).flatten(0, 1).T

    def _per_map(self, values: Tensor) -> Tensor:
        """Return (heads * maps, Q, points, ...) of values (Q, heads, maps * points, ...)."""
        return values.unflatten(2, (self._maps, self._points)).permute(1, 2, 0, 3, *range(4, values.dim() + 1)).flatten(
            0, 1)


def _cells(fractions: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Return positions (..., 2) in 0..1 in cells; no tensor of the sizes, which a GPU would have to wait for."""
    return torch.stack([fractions[..., 0] * map_size[1], fractions[..., 1] * map_size[0]], dim=-1)


Maps = type[BorderedMaps] | type[GridMaps]


class SampleHead:
    """
    The linear layers for offsets and weights of a deformable attention as one, in the order that sampling wants.

    The columns of the result are x offsets and y offsets, each (heads, maps, points), and weights (points, heads,
    maps): CPUs are several times faster at a softmax over few numbers if these do not lie side by side.
    """

    def __init__(self, offsets: nn.Linear, weights: nn.Linear, heads: int, maps: int = 1):
        """Rearrange the layers of a module."""
        points = weights.out_features // (heads * maps)
        self.heads, self.maps, self.points = heads, maps, points
        self.samples = heads * maps * points

        def merged(offset: Tensor, weight: Tensor) -> Tensor:
            offset = offset.view(self.samples, 2, -1)
            weight = weight.view(heads * maps, points, -1).transpose(0, 1).reshape(self.samples, -1)
            return torch.cat([offset[:, 0], offset[:, 1], weight]).contiguous()
        self.weight = merged(offsets.weight, weights.weight)
        self.bias = merged(offsets.bias, weights.bias).flatten()

    def samples_of(self, raw: Tensor, x: Tensor, y: Tensor) -> Samples:
        """
        Split the result (Q, columns) of the merged layer.

        :param x: (Q or 1, samples or 1) is added to the columns; :param y: to the rows.
        """
        n = self.samples
        columns, rows = raw[:, :n], raw[:, n:2 * n]
        shape = (len(raw), self.heads, self.maps * self.points)
        weights = raw[:, 2 * n:].unflatten(1, (self.points, self.heads * self.maps))
        # Few and sensitive: also in float32 where features are not.
        weights = weights.softmax(1, dtype=torch.float32).transpose(1, 2)
        return Samples((columns + x).reshape(shape), (rows + y).reshape(shape), weights.reshape(shape))
