"""Convolutions and linear layers in 8-bit integers on a CPU: weights per output channel, activations per tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..ops.attention import FeedForward

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of activations by name."""
LEVELS = 127
"""
Steps in a range, half of what eight bits hold: CPUs without VNNI add pairs of products in 16 bits, which 255 overflows.

Activations beyond their range still go up to twice as far.
"""


class Grid(NamedTuple):
    """The numbers that stand for a range of activations: real = scale * (code - zero)."""

    scale: float
    zero: int

    @staticmethod
    def of(low: float, high: float) -> Grid:
        """Return the grid of a range; zero is always on it, since convolutions pad with it."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-6) / LEVELS
        return Grid(scale, round(-low / scale))

    def quantize(self, x: Tensor) -> Tensor:
        """Return the codes (uint8) of real numbers."""
        # Rounds by cutting off: one pass over the data less.
        return torch.add(x.new_tensor(self.zero + 0.5), x, alpha=1 / self.scale).clamp_(0, 255).to(torch.uint8)


def _quantize_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights (out, ...) as int8 and the scales (out,) of the output channels."""
    scales = weight.flatten(1).abs().amax(1).clamp(min=1e-12) / 127
    return (weight / scales.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8), scales


class Int8Conv(nn.Module):
    """A convolution, what is added to it and a ReLU in one."""

    def __init__(self, conv: nn.Conv2d, source: Grid, target: Grid | None, relu: bool, added: Grid | None = None):
        """
        Pack the weights.

        :param source: grid of the input; :param target: that of the output, None to give numbers, not codes;
        :param added: that of a map which is added before the ReLU, and used up.
        """
        super().__init__()
        weight, self._scales = _quantize_weight(conv.weight)
        self._zeros, self._bias = torch.zeros(len(weight), dtype=torch.int64), conv.bias
        self._geometry = (list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups)
        self._weight = torch.ops.onednn.qconv_prepack(weight, self._scales, *source, *self._geometry, None)
        self._source, self._added, self._relu = source, added, 'relu' if relu else 'none'
        self._target = (1.0, 0, torch.float32) if target is None else (*target, torch.uint8)

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """Return codes or numbers (B, out, h, w) of codes or numbers (B, in, H, W)."""
        if x.dtype != torch.uint8:
            x = self._source.quantize(x).contiguous(memory_format=torch.channels_last)
        layer = (x, *self._source, self._weight, self._scales, self._zeros)
        if added is None:
            return torch.ops.onednn.qconv2d_pointwise(
                *layer, self._bias, *self._geometry, *self._target, self._relu, [], '')
        return torch.ops.onednn.qconv2d_pointwise.binary(
            *layer, added, self._bias, *self._geometry, *self._target, *self._added, 'sum', 1.0, self._relu, [], '')


class Int8Linear(nn.Module):
    """A linear layer, followed by a ReLU if it gives codes."""

    def __init__(self, weight: Tensor, bias: Tensor, source: Grid, target: Grid | None = None):
        """Pack weight (out, in) and bias (out,); :param source: and :param target: see ``Int8Conv``."""
        super().__init__()
        weight, self._scales = _quantize_weight(weight)
        self._zeros, self._bias = torch.zeros(len(weight), dtype=torch.int64), bias
        self._weight = torch.ops.onednn.qlinear_prepack(weight, None)
        self._source = source
        self._target = ((1.0, 0, torch.float32, 'none') if target is None else (*target, torch.uint8, 'relu'))

    def forward(self, x: Tensor) -> Tensor:
        """Return codes or numbers (..., out) of codes or numbers (..., in)."""
        if x.dtype != torch.uint8:
            x = self._source.quantize(x)
        return torch.ops.onednn.qlinear_pointwise(
            x, *self._source, self._weight, self._scales, self._zeros, self._bias, *self._target, [], '')


class Int8FeedForward(nn.Module):
    """``FeedForward`` with both layers in integers."""

    def __init__(self, layers: FeedForward, source: Grid, hidden: Grid):
        """Pack the weights; :param source: grid of the input, :param hidden: that between the layers."""
        super().__init__()
        self._inner = Int8Linear(layers.inner.weight, layers.inner.bias, source, hidden)
        self._outer = Int8Linear(layers.outer.weight, layers.outer.bias, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the transformed x, same shape."""
        return x + self._outer(self._inner(x))
