"""History reasoning for one agent: single slots without attention, and a short cut without a past (method.md 6.4)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..instances.reasoning import Reasoner, ReasoningBlock, ReasoningLayer
from ..ops.attention import Attention


class _SingleKey:
    """Attention to a single key: all weight lies on it, so value and output layers are one."""

    def __init__(self, attention: Attention):
        """Merge the layers."""
        c = attention.dims
        value_weight, value_bias = attention.in_weight[2 * c:], attention.in_bias[2 * c:]
        self.weight = attention.out.weight @ value_weight
        self.bias = attention.out.weight @ value_bias + attention.out.bias

    def __call__(self, value: Tensor) -> Tensor:
        """Return (N, C) of the values (N, C)."""
        return F.linear(value, self.weight, self.bias)


class _HistoryAttention:
    """Attention of every instance to the slots of its own history."""

    def __init__(self, attention: Attention, slots: Tensor):
        """
        Fold the positions into the layers.

        :param slots: (slots, C) embeddings of the history slots; the query stands in the last one.
        """
        c = attention.dims
        weight, bias = attention.in_weight, attention.in_bias
        self._heads, self._out = attention.heads, attention.out
        self._width = c // attention.heads
        self._scale = 1 / math.sqrt(self._width)
        self._query_weight = weight[:c]
        self._query_bias = F.linear(slots[-1], weight[:c], bias[:c])
        self._memory_weight = weight[c:]
        self._memory_bias = torch.cat([F.linear(slots, weight[c:2 * c], bias[c:2 * c]),
                                       bias[2 * c:].expand(len(slots), -1)], dim=-1)

    def __call__(self, x: Tensor, history: Tensor, padding: Tensor) -> Tensor:
        """Return (n, C) of x (n, C), history (n, slots, C) and padding (n, slots), True where empty."""
        count, slots, _ = history.shape
        query = F.linear(x, self._query_weight, self._query_bias).view(count, 1, self._heads, self._width)
        key, value = ((history @ self._memory_weight.T) + self._memory_bias).view(
            count, slots, 2, self._heads, self._width).unbind(2)
        scores = ((query * key).sum(-1) * self._scale).masked_fill(padding[..., None], -torch.inf)
        attended = (scores.softmax(1)[..., None] * value).sum(1)
        return self._out(attended.flatten(1))


class _HistoryLayer:
    """One layer of temporal reasoning over single instances."""

    def __init__(self, layer: ReasoningLayer, slots: Tensor):
        """Prepare both ways through the layer."""
        self.layer = layer
        self.itself = _SingleKey(layer.self_attention)
        self.newest_only = _SingleKey(layer.cross_attention)
        self.history = _HistoryAttention(layer.cross_attention, slots)


class _HistoryBlock:
    """A stack of layers in which every instance attends to its own history only."""

    def __init__(self, block: ReasoningBlock, slots: Tensor):
        """Prepare the layers."""
        self._norm = block.norm
        self._layers = [_HistoryLayer(layer, slots) for layer in block.layers]

    def __call__(self, feature: Tensor, history: Tensor, padding: Tensor, old: Tensor | None) -> Tensor:
        """
        Return (N, C).

        :param feature: (N, C), which is also the newest slot; :param history: (n, slots, C) and
        :param padding: (n, slots) of the instances with a past; :param old: (n,) which these are, None for all.
        """
        x = feature
        for part in self._layers:
            norms = part.layer.norms
            x = norms[0](x + part.itself(x))
            if old is None:
                seen = part.history(x, history, padding)
            else:
                seen = part.newest_only(feature).index_copy(0, old, part.history(x[old], history, padding))
            x = norms[2](part.layer.ffn(norms[1](x + seen)))
        return self._norm(x)


class FastReasoner:
    """Same features as ``Reasoner`` for a batch of one, to rounding."""

    def __init__(self, reasoner: Reasoner, shortens: bool):
        """
        Prepare for the weights that the reasoner has now.

        :param shortens: look for instances without a past, for which a device must be waited for.
        """
        self._reasoner, self._shortens = reasoner, shortens and reasoner.slots > 0
        if reasoner.slots:
            slots = reasoner.slot_positions()
            self._temporal = _HistoryBlock(reasoner.temporal, slots)
            self._motion = _HistoryBlock(reasoner.motion, slots)

    def with_past(self, hist_padding: Tensor) -> Tensor | None:
        """Return the rows (n,) that have a past, of padding (N, slots); None if that is not looked for."""
        return torch.nonzero(~hist_padding[:, :-1].all(-1)).flatten() if self._shortens else None

    def __call__(self, semantic: Tensor, motion: Tensor, hist_semantic: Tensor, hist_motion: Tensor,
                 hist_padding: Tensor, position: Tensor, old: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """
        Return enhanced semantic and motion features (N, C).

        :param hist_semantic: (N, slots, C), the newest slot holding the current feature; same for motion.
        :param hist_padding: (N, slots) True where empty; :param position: (N, C) positional embeddings.
        :param old: what ``with_past`` gave.
        """
        if self._reasoner.slots:
            if old is not None:
                hist_semantic, hist_motion, hist_padding = (
                    x[old] for x in (hist_semantic, hist_motion, hist_padding))
            semantic = self._temporal(semantic, hist_semantic, hist_padding, old)
            motion = self._motion(motion, hist_motion, hist_padding, old)
        rows, position = semantic[None], position[None]
        return self._reasoner.spatial(rows, position, rows, position)[0], motion
