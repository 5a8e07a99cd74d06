"""The decoder for one agent: only what its last layer reports (method.md 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..instances.boxes import POINT_DIMS, inverse_sigmoid, refine_code
from ..instances.decoder import Decoder
from .sampling import Maps, SampleHead


class DecodedQueries(NamedTuple):
    """Results of the last layer for N queries."""

    feats: Tensor
    """(N, C)."""
    codes: Tensor
    """(N, 10) in metres."""
    refs: Tensor
    """(N, 3) in 0..1."""
    logits: Tensor
    """(N, K)."""


class FastDecoder:
    """Same results as the last layer of ``Decoder`` for a batch of one, to rounding."""

    def __init__(self, decoder: Decoder, maps: Maps):
        """Prepare for the weights that the decoder has now."""
        self._decoder = decoder
        first = decoder.layers[0].sampling
        self._range = first.value.weight.new_tensor(decoder.pc_range)
        self._maps = maps(decoder.bev_size, first.heads, first.points)
        self._heads = [SampleHead(layer.sampling.offsets, layer.sampling.weights, first.heads)
                       for layer in decoder.layers]
        self.values = _merged([layer.sampling.value for layer in decoder.layers])
        """Projects the BEV features (cells, C) for all layers (cells, layers * C)."""
        # Layers before the last one are asked for points only.
        self._points = [(reg[-1].weight[POINT_DIMS], reg[-1].bias[POINT_DIMS]) for reg in decoder.reg]

    def __call__(self, bev: Tensor, feats: Tensor, embeds: Tensor, refs: Tensor) -> DecodedQueries:
        """
        Decode queries.

        :param bev: (cells, C); :param feats: (N, C); :param embeds: (N, C); :param refs: (N, 3) in 0..1.
        """
        decoder, last = self._decoder, len(self._heads) - 1
        values = self.values(bev).split(bev.shape[-1], dim=-1)
        for number, layer in enumerate(decoder.layers):
            feats = layer.norms[0](layer.attend(feats[None], embeds[None]))[0]
            head, places = self._heads[number], self._maps.places(refs[:, :2])
            raw = F.linear(feats + embeds, head.weight, head.bias)
            read = self._maps.sample(self._maps.table(values[number]),
                                     head.samples_of(raw, places[:, :1], places[:, 1:]))
            feats = layer.norms[1](feats + layer.sampling.output(read))
            feats = layer.norms[2](layer.ffn(feats))
            if number < last:
                hidden = decoder.reg[number][:-1](feats)
                refs = (F.linear(hidden, *self._points[number]) + inverse_sigmoid(refs)).sigmoid()
        codes, refs = refine_code(decoder.reg[last](feats), refs, self._range)
        return DecodedQueries(feats, codes, refs, decoder.cls[last](feats))


def _merged(layers: Sequence[nn.Linear]) -> nn.Linear:
    """Return layers of one input as one."""
    merged = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers), device='meta')
    merged.weight = nn.Parameter(torch.cat([layer.weight for layer in layers]), requires_grad=False)
    merged.bias = nn.Parameter(torch.cat([layer.bias for layer in layers]), requires_grad=False)
    return merged
