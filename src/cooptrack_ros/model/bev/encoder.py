"""BEV encoder: temporal self-attention and spatial cross-attention (method.md 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..ops.attention import FeedForward
from ..ops.deform_attn import deformable_sample
from .geometry import BevGeometry, BevMotion

_QUEUE = 2
"""Maps that the temporal attention looks at: previous and current."""


class TemporalAttention(nn.Module):
    """Deformable attention of every cell over the previous and the current BEV features (method.md 4.4)."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims, samples = config.embed_dims, config.num_heads * _QUEUE * config.temporal_points
        self.heads, self.points, self.bev_size = config.num_heads, config.temporal_points, config.bev_size
        self.offsets = nn.Linear(_QUEUE * dims, samples * 2)
        self.weights = nn.Linear(_QUEUE * dims, samples)
        self.value = nn.Linear(dims, dims)
        self.output = nn.Linear(dims, dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, position: Tensor, bevs: tuple[Tensor, Tensor], reference: Tensor) -> Tensor:
        """
        Return x plus what it attends to, (B, Q, C).

        :param bevs: previous and current values, (B, cells, C) each; the previous one also steers the query.
        :param reference: (B, 2, Q, 2) per frame, or (B, 1, Q, 2) for both.
        """
        batch, queries, _ = x.shape
        query = torch.cat([bevs[0], x + position], dim=-1)
        offsets = self.offsets(query).view(batch, queries, self.heads, _QUEUE, self.points, 2)
        weights = self.weights(query).view(batch, queries, self.heads, _QUEUE, self.points).softmax(-1)
        rows, columns = self.bev_size
        locations = reference.transpose(1, 2)[:, :, None, :, None] + offsets / offsets.new_tensor([columns, rows])
        values = [self.value(bevs[0])]
        values.append(values[0] if bevs[1] is bevs[0] else self.value(bevs[1]))
        sampled = [deformable_sample(value, self.bev_size, locations[:, :, :, i], weights[:, :, :, i])
                   for i, value in enumerate(values)]
        return x + self.dropout(self.output((sampled[0] + sampled[1]) / _QUEUE))


class CameraSampling(nn.Module):
    """Deformable attention of pillars over the features of one camera (4.4, inner part)."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims, samples = config.embed_dims, config.num_heads * config.spatial_points
        self.heads, self.points, self.heights = config.num_heads, config.spatial_points, config.pillar_heights
        self.offsets = nn.Linear(dims, samples * 2)
        self.weights = nn.Linear(dims, samples)
        self.value = nn.Linear(dims, dims)

    def forward(self, x: Tensor, features: Tensor, map_size: tuple[int, int], reference: Tensor) -> Tensor:
        """
        Return (B, Q, C).

        :param features: (B, h * w, C); :param reference: (B, Q, heights, 2); point n uses height n mod heights.
        """
        batch, queries, _ = x.shape
        rows, columns = map_size
        offsets = self.offsets(x).view(batch, queries, self.heads, self.points, 2)
        weights = self.weights(x).view(batch, queries, self.heads, self.points).softmax(-1)
        anchors = reference.repeat(1, 1, self.points // self.heights, 1)[:, :, None]
        locations = anchors + offsets / offsets.new_tensor([columns, rows])
        return deformable_sample(self.value(features), map_size, locations, weights)


class SpatialAttention(nn.Module):
    """Mean over the cameras that see a cell of what its pillar samples there (method.md 4.4)."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        self.sampling = CameraSampling(config)
        self.output = nn.Linear(config.embed_dims, config.embed_dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, features: Tensor, map_size: tuple[int, int], geometry: BevGeometry) -> Tensor:
        """
        Return x plus what it sees, (B, cells, C).

        :param features: (B, V, h * w, C).
        """
        seen = geometry.visible.any(-1)
        gathered = torch.zeros_like(x)
        for camera, cells in enumerate(geometry.cells):
            sampled = self.sampling(x[:, cells], features[:, camera], map_size, geometry.points[:, camera, cells])
            # A cell in ``cells`` may be unseen by some agents of the batch.
            sampled = sampled * seen[:, camera, cells, None]
            gathered = gathered.index_add(1, cells, sampled)
        if len(geometry.cells) > 1:
            gathered = gathered / seen.sum(1).clamp(min=1)[..., None]
        return x + self.dropout(self.output(gathered))


class BevLayer(nn.Module):
    """Temporal attention, spatial attention and feed-forward, each followed by a norm."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        self.temporal = TemporalAttention(config)
        self.spatial = SpatialAttention(config)
        self.ffn = FeedForward(config.embed_dims, config.ffn_dims, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(config.embed_dims) for _ in range(3))

    def forward(self, x: Tensor, position: Tensor, bevs: tuple[Tensor, Tensor] | None, reference: Tensor,
                features: Tensor, map_size: tuple[int, int], geometry: BevGeometry) -> Tensor:
        """Return (B, cells, C); ``bevs`` None lets the layer attend to its own input."""
        x = self.norms[0](self.temporal(x, position, (x, x) if bevs is None else bevs, reference))
        x = self.norms[1](self.spatial(x, features, map_size, geometry))
        return self.norms[2](self.ffn(x))


class BevEncoder(nn.Module):
    """From image features to BEV features of the surroundings."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims, (rows, columns) = config.embed_dims, config.bev_size
        self.bev_size = config.bev_size
        self.queries = nn.Embedding(rows * columns, dims)
        self.row_embed = nn.Embedding(rows, dims // 2)
        self.col_embed = nn.Embedding(columns, dims // 2)
        self.camera_embed = nn.Parameter(torch.empty(config.max_cameras, dims))
        self.level_embed = nn.Parameter(torch.empty(config.max_levels, dims))
        self.motion_mlp = nn.Sequential(
            nn.Linear(18, dims // 2), nn.ReLU(), nn.Linear(dims // 2, dims), nn.ReLU(), nn.LayerNorm(dims))
        self.layers = nn.ModuleList(BevLayer(config) for _ in range(config.encoder_layers))
        rows_y = (torch.arange(rows) + 0.5) / rows
        columns_x = (torch.arange(columns) + 0.5) / columns
        centres = torch.stack([columns_x.expand(rows, columns), rows_y[:, None].expand(rows, columns)], dim=-1)
        self.register_buffer('cell_centres', centres.reshape(-1, 2), persistent=False)

    def position(self) -> Tensor:
        """Return the positional encoding (cells, C): column part first."""
        rows, columns = self.bev_size
        return torch.cat([self.col_embed.weight[None].expand(rows, -1, -1),
                          self.row_embed.weight[:, None].expand(-1, columns, -1)], dim=-1).flatten(0, 1)

    def forward(self, features: Tensor, geometry: BevGeometry, motion: BevMotion,
                previous: Tensor | None) -> Tensor:
        """
        Return the BEV features (B, cells, C).

        :param features: (B, V, C, h, w); :param previous: BEV features of the last frame (B, cells, C), already
            aligned.
        """
        batch, cameras, _, height, width = features.shape
        if cameras > len(self.camera_embed):
            raise ValueError(f'{cameras} cameras, but this model knows {len(self.camera_embed)}')
        tokens = features.flatten(3).transpose(2, 3) + self.camera_embed[:cameras, None] + self.level_embed[0]
        initial = self.queries.weight + self.motion_mlp(motion.vector)[:, None]
        position = self.position().expand(batch, -1, -1)
        reference = (self.cell_centres + motion.shift[:, None])[:, None]
        bevs = None if previous is None else (previous, initial)
        x = initial
        for layer in self.layers:
            x = layer(x, position, bevs, reference, tokens, (height, width), geometry)
        return x
