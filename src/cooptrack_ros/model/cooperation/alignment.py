"""Cross-agent alignment of received instances (method.md 8)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..instances.boxes import POINT_DIMS, decode_codes, denormalize, encode_boxes, normalize
from ..layers import normed_stack


class AlignedInstances(NamedTuple):
    """Received instances inside the ego range, expressed in the ego lidar frame."""

    semantic: Tensor
    motion: Tensor
    embedding: Tensor
    ref_points: Tensor
    """(M, 3) normalised to the ego range; z may lie outside 0..1."""
    codes: Tensor
    """(M, 10)."""
    kept: Tensor
    """(received,) bool: which instances these are."""


class FeatureProjection(nn.Module):
    """Input and output projection around the latent operator, for one kind of feature."""

    def __init__(self, dims: int):
        """Create the layers."""
        super().__init__()
        self.input = normed_stack(dims, dims)
        self.output = normed_stack(dims, dims)

    def forward(self, x: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
        """Return aligned features (M, C); all of them are >= 0."""
        return self.output(self.input(x) @ rotation.T + translation + x)


class Alignment(nn.Module):
    """Turns a relative pose into a latent linear map and applies it to received features."""

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims, blocks = config.embed_dims, config.alignment_blocks
        self.blocks, self.block_size = blocks, dims // blocks
        self.is_latent = config.method.alignment == 'latent'
        self.ego_range, self.infra_range = config.ego_range.pc_range, config.infra_range.pc_range
        self.rotation = normed_stack(6, dims, dims, blocks * self.block_size ** 2)
        self.translation = normed_stack(3, dims, dims, dims)
        self.semantic = FeatureProjection(dims)
        self.embedding = FeatureProjection(dims)
        self.motion = FeatureProjection(dims)

    def latent_pose(self, ego_from_infra: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latent rotation (C, C), block-diagonal, and translation (1, C) of a 4x4 pose."""
        columns = ego_from_infra[:3, :2].reshape(1, 6)
        blocks = self.rotation(columns).view(self.blocks, self.block_size, self.block_size)
        return torch.block_diag(*blocks), self.translation(ego_from_infra[:3, 3][None])

    def forward(self, semantic: Tensor, motion: Tensor, embedding: Tensor, ref_points: Tensor, codes: Tensor,
                ego_from_infra: Tensor) -> AlignedInstances:
        """
        Align one message; instances outside the ego range in x or y are dropped.

        :param semantic: (M, C), likewise motion and embedding; :param ref_points: (M, 3) in the roadside range;
        :param codes: (M, 10) in the roadside frame; :param ego_from_infra: (4, 4) float32.
        """
        points, codes, kept = self.place(ref_points, codes, ego_from_infra)
        features = self.features(semantic[kept], motion[kept], embedding[kept], ego_from_infra)
        return AlignedInstances(*features, points, codes, kept)

    def place(self, ref_points: Tensor, codes: Tensor, ego_from_infra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return points and codes of the instances inside the ego range, and which of the (M,) these are."""
        rotation, offset = ego_from_infra[:3, :3], ego_from_infra[:3, 3]
        points = denormalize(ref_points, self.infra_range) @ rotation.T + offset
        low, high = points.new_tensor(self.ego_range[:2]), points.new_tensor(self.ego_range[3:5])
        kept = ((points[:, :2] >= low) & (points[:, :2] <= high)).all(-1)
        return normalize(points[kept], self.ego_range), _transform_codes(codes[kept], rotation, offset), kept

    def features(self, semantic: Tensor, motion: Tensor, embedding: Tensor,
                 ego_from_infra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three features (M, C) in the ego domain; :param ego_from_infra: (4, 4) float32."""
        if not self.is_latent:
            return semantic, motion, embedding
        latent = self.latent_pose(ego_from_infra)
        return self.semantic(semantic, *latent), self.motion(motion, *latent), self.embedding(embedding, *latent)


def _transform_codes(codes: Tensor, rotation: Tensor, offset: Tensor) -> Tensor:
    decoded = decode_codes(codes)
    points = codes[:, POINT_DIMS] @ rotation.T + offset
    yaw = decoded[:, 6:7] - torch.atan2(rotation[1, 0], rotation[0, 0])
    velocity = decoded[:, 7:] @ rotation[:2, :2].T
    return encode_boxes(torch.cat([points, decoded[:, 3:6], yaw, velocity], dim=-1))
