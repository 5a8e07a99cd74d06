"""History reasoning and refinement heads (method.md 6.4, 6.5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..layers import head, mlp
from ..ops.attention import Attention, FeedForward
from .boxes import CODE_SIZE, refine_code
from .position import slot_embedding


class ReasoningLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward, each followed by a norm."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims = config.embed_dims
        self.self_attention = Attention(dims, config.num_heads, config.dropout)
        self.cross_attention = Attention(dims, config.num_heads, config.dropout)
        self.ffn = FeedForward(dims, config.reasoning_ffn_dims, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dims) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, position: Tensor, keys: Tensor, values: Tensor, padding: Tensor | None) -> Tensor:
        """Return (B, T, C); keys carry their position already."""
        query = x + position
        x = self.norms[0](x + self.dropout(self.self_attention(query, query, x)))
        x = self.norms[1](x + self.dropout(self.cross_attention(x + position, keys, values, padding)))
        return self.norms[2](self.ffn(x))


class ReasoningBlock(nn.Module):
    """A stack of layers over the same memory, and a last norm."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        self.layers = nn.ModuleList(ReasoningLayer(config) for _ in range(config.reasoning_layers))
        self.norm = nn.LayerNorm(config.embed_dims)

    def forward(self, x: Tensor, position: Tensor, memory: Tensor, memory_position: Tensor,
                padding: Tensor | None = None) -> Tensor:
        """
        Return (B, T, C).

        :param x: (B, T, C) with its position; :param memory: (B, S, C) with its position;
        :param padding: (B, S) True where the memory is empty.
        """
        keys = memory + memory_position
        for layer in self.layers:
            x = layer(x, position, keys, memory, padding)
        return self.norm(x)


class Reasoner(nn.Module):
    """Temporal and spatial reasoning over instances, and the heads that report them."""

    def __init__(self, config: ModelConfig, pc_range: tuple[float, ...]):
        """Create the layers."""
        super().__init__()
        self.pc_range, self.slots, self.dims = pc_range, config.hist_len, config.embed_dims
        self.temporal = ReasoningBlock(config)
        self.spatial = ReasoningBlock(config)
        self.motion = ReasoningBlock(config)
        self.slot_embed = mlp(config.embed_dims, config.embed_dims, config.embed_dims)
        self.cls = head(config.embed_dims, len(config.class_names))
        self.reg = head(config.embed_dims, CODE_SIZE)

    def slot_positions(self) -> Tensor:
        """Return the embedding (slots, C) of the history slots."""
        return self.slot_embed(slot_embedding(self.slots, self.dims, self.slot_embed[0].weight.device))

    def forward(self, semantic: Tensor, motion: Tensor, hist_semantic: Tensor, hist_motion: Tensor,
                hist_padding: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return enhanced semantic and motion features (B, N, C).

        :param hist_semantic: (B, N, slots, C), the newest slot holding the current feature; same for motion.
        :param hist_padding: (B, N, slots) True where empty; :param position: (B, N, C) positional embeddings.
        """
        if self.slots:
            slots = self.slot_positions()
            semantic = _per_instance(self.temporal, semantic, hist_semantic, hist_padding, slots)
            motion = _per_instance(self.motion, motion, hist_motion, hist_padding, slots)
        return self.spatial(semantic, position, semantic, position), motion

    def refine(self, semantic: Tensor, motion: Tensor, ref_points: Tensor,
               before: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return logits (..., K), codes (..., 10) in metres and refined points (..., 3) in 0..1.

        :param before: see ``boxes.refine_code``.
        """
        boxes, refined = refine_code(self.reg(motion), ref_points, self.pc_range, before)
        return self.cls(semantic), boxes, refined


def _per_instance(block: ReasoningBlock, feature: Tensor, history: Tensor, padding: Tensor, slots: Tensor) -> Tensor:
    """Run a block with every instance attending to its own history only."""
    out = block(feature.flatten(0, 1)[:, None], slots[-1:], history.flatten(0, 1), slots, padding.flatten(0, 1))
    return out.view_as(feature)


def shift_history(history: Tensor, current: Tensor) -> Tensor:
    """Return histories (..., slots, C) moved one slot on, with the features (..., C) of now in the newest slot."""
    return torch.cat([history, current.unsqueeze(-2)], dim=-2)[..., 1:, :]


def shift_padding(padding: Tensor) -> Tensor:
    """Return padding masks (..., slots) moved one slot on; the newest slot is filled."""
    return torch.cat([padding, padding.new_zeros(*padding.shape[:-1], 1)], dim=-1)[..., 1:]


def replace_newest(history: Tensor, current: Tensor) -> Tensor:
    """Return histories (..., slots, C) with detached features (..., C) in the newest slot (method.md 6.3)."""
    slots = history.shape[-2]
    return torch.cat([history[..., :-1, :], current.detach().unsqueeze(-2)], dim=-2) if slots else history
