"""Graph-based association and aggregation of vehicle and roadside instances (method.md 9, 10)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..layers import mlp


class Association(nn.Module):
    """Affinity of every vehicle query with every received instance."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims = config.embed_dims
        self.node_vehicle = mlp(2 * dims, dims, dims)
        self.node_infra = mlp(2 * dims, dims, dims)
        self.edge = mlp(3, dims, dims)
        self.query = nn.Parameter(torch.empty(dims, dims))
        self.key = nn.Parameter(torch.empty(dims, dims))
        self.edge_weight = nn.Parameter(torch.empty(dims, dims))
        self.score = nn.Sequential(nn.Linear(dims, dims), nn.LayerNorm(dims), nn.ReLU(), nn.Linear(dims, 1))
        for weight in (self.query, self.key, self.edge_weight):
            nn.init.xavier_uniform_(weight)

    def forward(self, semantic: Tensor, motion: Tensor, ref_points: Tensor, infra_semantic: Tensor,
                infra_motion: Tensor, infra_ref_points: Tensor) -> Tensor:
        """Return logits (N, M) of N vehicle and M roadside instances; points in 0..1 of the ego range."""
        query = self.node_vehicle(torch.cat([semantic, motion], dim=-1)) @ self.query
        key = self.node_infra(torch.cat([infra_semantic, infra_motion], dim=-1)) @ self.key
        edges = self.edge(ref_points[:, None] - infra_ref_points[None]) @ self.edge_weight
        return self.score((query @ key.T)[..., None] + edges).squeeze(-1)


class FusedPairs(NamedTuple):
    """What becomes of P matched pairs."""

    semantic: Tensor
    motion: Tensor
    embedding: Tensor
    ref_points: Tensor


class Aggregation(nn.Module):
    """Merges matched instances and brings all into the domain of the cooperative heads."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims = config.embed_dims
        self.semantic = mlp(2 * dims, dims, dims)
        self.motion = mlp(2 * dims, dims, dims)
        self.embedding = mlp(2 * dims, dims, dims)
        self.domain_semantic = mlp(2 * dims, dims, dims)
        self.domain_motion = mlp(2 * dims, dims, dims)

    def fuse(self, vehicle: FusedPairs, infra: FusedPairs) -> FusedPairs:
        """Return merged features and mean points of P pairs, row by row."""
        return FusedPairs(
            self.semantic(torch.cat([vehicle.semantic, infra.semantic], dim=-1)),
            self.motion(torch.cat([vehicle.motion, infra.motion], dim=-1)),
            self.embedding(torch.cat([vehicle.embedding, infra.embedding], dim=-1)),
            (vehicle.ref_points + infra.ref_points) / 2)

    def adapt(self, semantic: Tensor, motion: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return semantic and motion features (..., C) for the refinement heads; needed without messages too."""
        return (self.domain_semantic(torch.cat([semantic, embedding], dim=-1)),
                self.domain_motion(torch.cat([motion, embedding], dim=-1)))
