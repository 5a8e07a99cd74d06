"""Every constant of a training run (model.md section 13); the only place for their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.fusion import RULE_GATE_M


@dataclass(frozen=True)
class LossConfig:
    """Weights and constants of matching and losses (13.3, 13.4, 13.6)."""

    cls_weight: float = 2.0
    box_weight: float = 0.25
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    code_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2)
    association_weight: float = 10.0
    association_gamma: float = 1.0
    association_alpha: float = -1.0
    """Share of the positive pairs in the focal association loss; negative: both count fully, as published (Q14)."""
    association_gate_m: float = 3.0
    """Largest centre distance between a box and the object it is labelled with."""
    rule_gate_m: float = RULE_GATE_M
    """Largest distance of a pair fused in training (9.2)."""
    association_min_score: float = 0.4
    """Rows whose decoder score is lower have no part in the association loss (0: every row has, as at test)."""
    bev_heatmap_weight: float = 0.0
    """Training-only heatmap head on the BEV map; 0 in the published recipe."""
    image_heatmap_weight: float = 0.0
    """Training-only detection head on the image features; 0 in the published recipe."""


@dataclass(frozen=True)
class TrackSelectionConfig:
    """Which rows are carried to the next training frame (13.5)."""

    min_iou: float = 0.5
    drop_probability: float = 0.1
    false_positive_ratio: float = 0.3


@dataclass(frozen=True)
class AugmentConfig:
    """Changes of the training pictures (13.8)."""

    photometric_probability: float = 0.5
    mirror_probability: float = 0.0
    """Mirror the whole scene left to right, per clip; not in the published recipe."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    steps: int = 1000
    """Optimiser steps."""
    batch_slots: int = 2
    """Streams whose gradients are added up for one step."""
    clip_length: int = 5
    learning_rate: float = 2e-4
    backbone_lr_factor: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 35.0
    warmup_steps: int = 500
    final_lr_factor: float = 1e-3
    freeze_backbone: bool = False
    freeze_neck: bool = False
    freeze_batch_norm: bool = False
    """Keep the statistics of batch norms while their layers are trained."""
    seed: int = 0
    checkpoint_every: int = 200
    losses: LossConfig = field(default_factory=LossConfig)
    selection: TrackSelectionConfig = field(default_factory=TrackSelectionConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)


MINI_LOSSES = LossConfig(bev_heatmap_weight=1.0, image_heatmap_weight=1.0)

RECIPES = {
    'published': TrainConfig(),
    'mini-image': TrainConfig(
        batch_slots=8, clip_length=1, learning_rate=2e-3, backbone_lr_factor=1.0, warmup_steps=50,
        losses=MINI_LOSSES, augment=AugmentConfig(mirror_probability=0.5)),
    'mini': TrainConfig(
        batch_slots=2, learning_rate=5e-4, backbone_lr_factor=0.4, warmup_steps=100, freeze_batch_norm=True,
        losses=MINI_LOSSES, selection=TrackSelectionConfig(min_iou=0.1), augment=AugmentConfig(mirror_probability=0.5)),
    'mini-cooperative': TrainConfig(
        batch_slots=2, learning_rate=4e-4, warmup_steps=100, freeze_backbone=True, freeze_neck=True,
        losses=LossConfig(bev_heatmap_weight=1.0, association_min_score=0.0),
        selection=TrackSelectionConfig(min_iou=0.1)),
}
"""Named recipes: the published one, and those of the small model for CPUs (three steps)."""
