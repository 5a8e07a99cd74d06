"""Detection decoder with iterative refinement of reference points (method.md 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..layers import head, plain_head
from ..ops.attention import Attention, FeedForward
from ..ops.deform_attn import deformable_sample
from .boxes import CODE_SIZE, refine_code


class DecoderOutput(NamedTuple):
    """Results of all L layers: codes in metres, reference points as each layer leaves them in 0..1."""

    logits: Tensor
    """(L, B, N, K)."""
    boxes: Tensor
    """(L, B, N, 10)."""
    refs: Tensor
    """(L, B, N, 3)."""
    feats: Tensor
    """(L, B, N, C)."""

    def rows(self, part: slice) -> DecoderOutput:
        """Return the results of some of the queries."""
        return DecoderOutput(*(values[:, :, part] for values in self))


class BevSampling(nn.Module):
    """Deformable attention of queries over the BEV features."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims, samples = config.embed_dims, config.num_heads * config.decoder_points
        self.heads, self.points = config.num_heads, config.decoder_points
        self.offsets = nn.Linear(dims, samples * 2)
        self.weights = nn.Linear(dims, samples)
        self.value = nn.Linear(dims, dims)
        self.output = nn.Linear(dims, dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, feats: Tensor, embeds: Tensor, bev: Tensor, bev_size: tuple[int, int], xy: Tensor) -> Tensor:
        """Return feats (B, N, C) plus what they read from bev (B, cells, C) around xy (B, N, 2)."""
        batch, queries, _ = feats.shape
        query = feats + embeds
        offsets = self.offsets(query).view(batch, queries, self.heads, self.points, 2)
        weights = self.weights(query).view(batch, queries, self.heads, self.points).softmax(-1)
        locations = xy[:, :, None, None] + offsets / offsets.new_tensor([bev_size[1], bev_size[0]])
        return feats + self.dropout(self.output(deformable_sample(self.value(bev), bev_size, locations, weights)))


class DecoderLayer(nn.Module):
    """Self-attention among queries, sampling of the BEV features, feed-forward, each followed by a norm."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        self.self_attention = Attention(config.embed_dims, config.num_heads, config.dropout)
        self.sampling = BevSampling(config)
        self.ffn = FeedForward(config.embed_dims, config.ffn_dims, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(config.embed_dims) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def attend(self, feats: Tensor, embeds: Tensor) -> Tensor:
        """Return feats plus the self-attention among them."""
        query = feats + embeds
        return feats + self.dropout(self.self_attention(query, query, feats))

    def forward(self, feats: Tensor, embeds: Tensor, bev: Tensor, bev_size: tuple[int, int], xy: Tensor,
                attending: int | None = None) -> Tensor:
        """
        Return the features (B, N, C) of the next layer.

        :param attending: so many queries, the first ones, have self-attention and its norm; None: all.
        """
        attended = self.norms[0](self.attend(feats[:, :attending], embeds[:, :attending]))
        feats = attended if attending is None else torch.cat([attended, feats[:, attending:]], dim=1)
        feats = self.norms[1](self.sampling(feats, embeds, bev, bev_size, xy))
        return self.norms[2](self.ffn(feats))


class Decoder(nn.Module):
    """Layers with their own class and box heads."""

    def __init__(self, config: ModelConfig, pc_range: tuple[float, ...]):
        """Create the layers."""
        super().__init__()
        self.bev_size, self.pc_range = config.bev_size, pc_range
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.cls = nn.ModuleList(
            head(config.embed_dims, len(config.class_names)) for _ in range(config.decoder_layers))
        self.reg = nn.ModuleList(plain_head(config.embed_dims, CODE_SIZE) for _ in range(config.decoder_layers))

    def forward(self, bev: Tensor, feats: Tensor, embeds: Tensor, ref_points: Tensor,
                attending: int | None = None) -> DecoderOutput:
        """
        Decode queries.

        :param bev: (B, cells, C); :param feats: (B, N, C); :param embeds: (B, N, C), constant through the layers;
        :param ref_points: (B, N, 3) in 0..1; :param attending: see ``DecoderLayer``.
        """
        results = []
        for layer, cls, reg in zip(self.layers, self.cls, self.reg, strict=True):
            feats = layer(feats, embeds, bev, self.bev_size, ref_points[..., :2], attending)
            boxes, refined = refine_code(reg(feats), ref_points, self.pc_range)
            results.append((cls(feats), boxes, refined, feats))
            ref_points = refined.detach()
        return DecoderOutput(*(torch.stack(values) for values in zip(*results, strict=True)))

    def twice(self, bev: Tensor, feats: Tensor, embeds: Tensor,
              ref_points: Tensor) -> tuple[DecoderOutput, DecoderOutput]:
        """
        Decode the same queries with and without self-attention, in one pass of all layers (SynCL, arXiv:2411.06780).

        Both halves lie side by side as queries, so that each layer samples the BEV features once.
        """
        count = feats.shape[1]
        both = self(bev, *(torch.cat([x, x], dim=1) for x in (feats, embeds, ref_points)), attending=count)
        return both.rows(slice(count)), both.rows(slice(count, None))
