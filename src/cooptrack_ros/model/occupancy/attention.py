"""Volume cross-attention: queries read a volume around their reference points."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..ops.attention import Attention, FeedForward
from ..ops.volume_sample import sample_volume
from .sizes import OccupancySizes


class VolumeAttention(nn.Module):
    """
    Deformable attention of queries over a volume.

    The published code samples with x and z exchanged; this one does not.
    """

    def __init__(self, config: ModelConfig, sizes: OccupancySizes):
        """Create the layers; head h looks in direction 2 pi h / heads, its points stand one voxel apart."""
        super().__init__()
        dims, samples = config.embed_dims, config.num_heads * sizes.points
        self.heads, self.points = config.num_heads, sizes.points
        self.offsets = nn.Linear(dims, samples * 3)
        self.weights = nn.Linear(dims, samples)
        self.value = nn.Conv3d(sizes.volume_dims, dims, 1)
        self.output = nn.Linear(dims, dims)
        self.dropout = nn.Dropout(config.dropout)
        for layer in (self.offsets, self.weights):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.weights.bias)
        with torch.no_grad():
            self.offsets.bias.copy_(_star(self.heads, self.points))
        for layer in (self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, feats: Tensor, embeds: Tensor, volume: Tensor, reference: Tensor) -> Tensor:
        """
        Return feats (B, N, C) plus what they read.

        :param volume: (B, volume_dims, X, Y, Z); :param reference: (B, N, 3) in 0..1 of the volume.
        """
        batch, queries, dims = feats.shape
        query = feats + embeds
        offsets = self.offsets(query).view(batch, queries, self.heads, self.points, 3)
        weights = self.weights(query).view(batch, queries, self.heads, self.points).softmax(-1)
        locations = reference[:, :, None, None] + offsets / offsets.new_tensor(volume.shape[2:])
        values = self.value(volume).view(batch * self.heads, dims // self.heads, *volume.shape[2:])
        sampled = sample_volume(values, locations.transpose(1, 2).flatten(0, 1))
        read = (sampled * weights.transpose(1, 2).flatten(0, 1)[:, None]).sum(-1)
        read = read.view(batch, dims, queries).transpose(1, 2)
        return feats + self.dropout(self.output(read))


def _star(heads: int, points: int) -> Tensor:
    angles = torch.arange(heads) * (2 * math.pi / heads)
    directions = torch.stack([angles.cos(), angles.sin(), (angles.sin() + angles.cos()) / 2], dim=-1)
    directions = directions / directions.abs().amax(-1, keepdim=True)
    return (directions[:, None] * torch.arange(1, points + 1, dtype=torch.float32)[:, None]).reshape(-1)


class VolumeLayer(nn.Module):
    """Volume cross-attention, self-attention among all queries, feed-forward, each followed by a norm."""

    def __init__(self, config: ModelConfig, sizes: OccupancySizes):
        """Create the layers."""
        super().__init__()
        dims = config.embed_dims
        self.sampling = VolumeAttention(config, sizes)
        self.self_attention = Attention(dims, config.num_heads, config.dropout)
        self.ffn = FeedForward(dims, sizes.ffn_dims, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dims) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, feats: Tensor, embeds: Tensor, volume: Tensor, reference: Tensor) -> Tensor:
        """Return the features (B, N, C); see ``VolumeAttention.forward``."""
        feats = self.norms[0](self.sampling(feats, embeds, volume, reference))
        query = feats + embeds
        feats = self.norms[1](feats + self.dropout(self.self_attention(query, query, feats)))
        return self.norms[2](self.ffn(feats))
