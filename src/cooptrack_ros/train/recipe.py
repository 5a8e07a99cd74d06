"""Every constant of a training run (method.md 13); the only place for their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ..common.config import ModelConfig, apply_overrides
from ..common.errors import UserError
from ..common.method_config import MethodConfig
from ..common.reading import read_yaml
from ..tracking.fusion import DISTANCE_GATE_M
from .bev_fusion.settings import BevFusionConfig
from .lidar.settings import LidarPretrainingConfig
from .occupancy.settings import OccupancyConfig
from .syncl.settings import SynclConfig


@dataclass(frozen=True)
class LossConfig:
    """Weights and constants of matching and losses (method.md 13.3, 13.4, 13.6)."""

    cls_weight: float = 2.0
    box_weight: float = 0.25
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    code_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2)
    motion_loss: str = 'l1'
    """
    Of sin psi, cos psi, vx and vy: ``l1``, as published, whose best constant is the median: 0 for the sine and for both
    velocities, where most objects stand along the road; or ``spread``: squares of sine and cosine, a Huber loss of the
    velocities. The training-only heads follow it.
    """
    association_weight: float = 10.0
    association_gamma: float = 1.0
    association_alpha: float = -1.0
    """
    Share of the positive pairs in the focal association loss; negative: both count fully, as published (method.md Q14).
    """
    association_gate_m: float = 3.0
    """Largest centre distance between a box and the object it is labelled with."""
    distance_gate_m: float = DISTANCE_GATE_M
    """Largest distance of a pair fused in training (method.md 9.2)."""
    association_min_score: float = 0.4
    """Rows whose decoder score is lower have no part in the association loss (0: every row has, as at test)."""
    bev_heatmap_weight: float = 0.0
    """Training-only heatmap head on the BEV features; 0 in the published recipe."""
    image_heatmap_weight: float = 0.0
    """Training-only detection head on the image features; 0 in the published recipe."""


@dataclass(frozen=True)
class TrackSelectionConfig:
    """Which rows are carried to the next training frame (method.md 13.5)."""

    min_iou: float = 0.5
    drop_probability: float = 0.1
    false_positive_ratio: float = 0.3
    carry_score: float = 2.0
    """Score from which a row is carried in any case, as the tracker does it at test; above 1 in the published recipe:
    never. Else a network that places objects badly learns nothing about its own tracks and false tracks."""


@dataclass(frozen=True)
class AugmentConfig:
    """Changes of the training images (method.md 13.8)."""

    photometric_probability: float = 0.5
    grid_mask_probability: float = 0.7
    mirror_probability: float = 0.0
    """Mirror the whole scene left to right, per clip; not in the published recipe."""


@dataclass(frozen=True)
class LinkConfig:
    """What becomes of messages on their way in stage 2; nothing in the published recipe."""

    lost_frames: float = 0.0
    """Share of single messages that are lost."""
    gaps: float = 0.0
    """Share of the clips in which all messages from a random frame to another are lost."""
    lost_clips: float = 0.0
    """Share of the clips without any message."""
    max_age_s: float = 0.0
    """In every second clip, messages are late by a random time of up to so many seconds."""


@dataclass(frozen=True)
class ModalityConfig:
    """Which sensors a frame lacks, where the tracker has a point cloud branch."""

    lidar_off: float = 0.3
    camera_off: float = 0.1
    """1: the tracker learns from point clouds alone."""
    gate: float = 0.0
    """First value of the gate; at 0 the training starts with the tracker of the cameras."""
    encoder_lr_factor: float = 0.5
    """Of the encoder of point clouds."""
    freeze_tracker: bool = False
    """Only the branch learns: what else was trained on the tracker still fits."""

    def __post_init__(self):
        """
        Check the values.

        :raises UserError: for probabilities that are none.
        """
        if min(self.lidar_off, self.camera_off) < 0 or self.lidar_off + self.camera_off > 1:
            raise UserError('modalities.lidar_off and modalities.camera_off must be probabilities whose sum is at most '
                            f'1, not {self.lidar_off} and {self.camera_off}')


@dataclass(frozen=True)
class TrainConfig:
    """One training run; the defaults are what all published stages share (method.md 13.7)."""

    steps: int = 1000
    """Optimiser steps, where ``epochs`` is 0."""
    epochs: float = 0.0
    """Passes over the training frames; 0: ``steps`` counts."""
    batch_size: int = 8
    """Streams whose gradients make one step, all processes together."""
    grad_accum_steps: int = 1
    """Parts into which a process cuts its streams; one part at a time is in memory."""
    clip_length: int = 5
    clip_grad_frames: int = 1
    """Frames that make one step, with gradients from each to those before; 1: none across frames, as published."""
    tracking: bool = True
    """False: detection pretraining. No track is carried over and only the decoder layers are supervised."""
    learning_rate: float = 2e-4
    backbone_lr_factor: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 35.0
    warmup_steps: int = 500
    warmup_share: float = 0.0
    """Of the run, for warming up by that instead."""
    final_lr_factor: float = 1e-3
    precision: str = 'float32'
    """Of backbone, neck and BEV encoder: ``float32``, ``bfloat16`` or ``float16``; the rest is always float32."""
    freeze_backbone: bool = False
    freeze_neck: bool = False
    freeze_batch_norm: bool = False
    """Keep the statistics of batch norms while their layers are trained."""
    velocity_labels: str = 'published'
    """How the labels got their velocities: ``published`` or ``central`` (``data.spd.reader``)."""
    hz: int = 0
    """Frames a second that are taken of every recording; 0: all."""
    seed: int = 0
    checkpoint_every: int = 200
    losses: LossConfig = field(default_factory=LossConfig)
    syncl: SynclConfig = field(default_factory=SynclConfig)
    selection: TrackSelectionConfig = field(default_factory=TrackSelectionConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    occupancy: OccupancyConfig = field(default_factory=OccupancyConfig)
    lidar: LidarPretrainingConfig = field(default_factory=LidarPretrainingConfig)
    modalities: ModalityConfig = field(default_factory=ModalityConfig)
    bev_fusion: BevFusionConfig = field(default_factory=BevFusionConfig)


_PAPER = {
    'detection-vehicle': TrainConfig(epochs=24, clip_length=20, tracking=False),
    'detection-roadside': TrainConfig(epochs=24, tracking=False),
    'vehicle': TrainConfig(epochs=48, freeze_backbone=True),
    'roadside': TrainConfig(epochs=24, freeze_backbone=True),
    'cooperative': TrainConfig(epochs=48, batch_size=16, freeze_backbone=True, freeze_neck=True),
    # Features of known images: nothing is left to be recoloured or masked.
    'bev-fusion': TrainConfig(epochs=24, augment=AugmentConfig(0.0, 0.0)),
}

_CARRIED = TrackSelectionConfig(min_iou=0.1, carry_score=0.4)
_FUSION_LOSSES = LossConfig(association_min_score=0.0)
_BETTER = {name: replace(recipe, selection=_CARRIED, velocity_labels='central') for name, recipe in _PAPER.items()} | {
    'cooperative': replace(_PAPER['cooperative'], selection=_CARRIED, losses=_FUSION_LOSSES, velocity_labels='central')}

# Twice this for the heading and six times for the velocity cost the vehicle's places more than motion gained.
_SPREAD = {'motion_loss': 'spread', 'code_weights': (1.0,) * 8 + (0.5, 0.5)}
_MINI_SIDE = TrainConfig(
    batch_size=2, clip_length=10, learning_rate=5e-4, backbone_lr_factor=0.4, warmup_steps=100, freeze_batch_norm=True,
    velocity_labels='central', selection=_CARRIED,
    losses=LossConfig(bev_heatmap_weight=1.0, image_heatmap_weight=1.0, **_SPREAD),
    augment=AugmentConfig(grid_mask_probability=0.0, mirror_probability=0.5))
_MINI = {
    'image': replace(_MINI_SIDE, batch_size=8, clip_length=1, learning_rate=2e-3, backbone_lr_factor=1.0,
                     warmup_steps=50, freeze_batch_norm=False),
    'detection-vehicle': replace(_MINI_SIDE, tracking=False),
    'detection-roadside': replace(_MINI_SIDE, tracking=False),
    'vehicle': _MINI_SIDE,
    'roadside': _MINI_SIDE,
    # Messages cannot be mirrored.
    'cooperative': replace(
        _MINI_SIDE, learning_rate=4e-4, backbone_lr_factor=0.1, freeze_batch_norm=False, freeze_backbone=True,
        freeze_neck=True, losses=replace(_FUSION_LOSSES, bev_heatmap_weight=1.0, **_SPREAD),
        augment=AugmentConfig(grid_mask_probability=0.0),
        link=LinkConfig(lost_frames=0.1, gaps=0.1, lost_clips=0.05, max_age_s=0.5)),
    'bev-fusion': replace(
        _MINI_SIDE, epochs=6, batch_size=4, learning_rate=1e-3, warmup_steps=50, losses=LossConfig(**_SPREAD),
        augment=AugmentConfig(0.0, 0.0)),
}

_MINI['lidar'] = replace(
    _MINI_SIDE, learning_rate=1e-3, losses=replace(_MINI_SIDE.losses, image_heatmap_weight=0.0),
    modalities=ModalityConfig(gate=0.5, encoder_lr_factor=1.0, freeze_tracker=True))
"""
A point cloud branch for a tracker that stays as it is. The gate starts open: a step moves it by no more than the rate.
"""
_NO_MASK = AugmentConfig(grid_mask_probability=0.0)
_OWN_THINGS = TrainConfig(epochs=24, clip_length=3, clip_grad_frames=3, augment=_NO_MASK)
_TRACKED_THINGS = TrainConfig(epochs=24, clip_length=10, augment=_NO_MASK)
_OCCUPANCY = {'occupancy-own': _OWN_THINGS, 'occupancy-tracker': _TRACKED_THINGS}
_MINI |= {
    'occupancy-own': replace(_OWN_THINGS, batch_size=1, learning_rate=1e-3, warmup_steps=50, freeze_backbone=True,
                             freeze_neck=True, occupancy=OccupancyConfig(freeze_bev=True)),
    'occupancy-tracker': replace(_TRACKED_THINGS, batch_size=1, learning_rate=1e-3, warmup_steps=50),
}

_LIDAR = TrainConfig(epochs=15, batch_size=4, learning_rate=2e-3, warmup_steps=0, warmup_share=0.05)
_FLOW = TrainConfig(steps=3000, batch_size=1, learning_rate=1e-3, warmup_steps=50, checkpoint_every=500)

RECIPES = {'flow': _FLOW, 'lidar-pretraining': _LIDAR} | {
    f'{family}-{stage}': recipe for family, stages in (
        ('paper', _PAPER | _OCCUPANCY), ('better', _BETTER | _OCCUPANCY), ('mini', _MINI))
    for stage, recipe in stages.items()}
"""
Recipes by name, family and stage: ``paper`` (method.md 13.7); ``better``, the same with the switches of method.md 16 at
the better choice, for new trainings of that size; ``mini`` for the small model on CPUs. The feature flow and the
pretraining on point clouds have one recipe each.
"""


_PRECISIONS = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


def precision_of(recipe: TrainConfig) -> torch.dtype:
    """
    Return the number type of the big parts.

    :raises UserError: for an unknown name.
    """
    if recipe.precision not in _PRECISIONS:
        raise UserError(f"unknown precision '{recipe.precision}'; known: {', '.join(_PRECISIONS)}")
    return _PRECISIONS[recipe.precision]


def recipe_family(config: ModelConfig) -> str:
    """Return which family a configuration is trained with by default."""
    if config.backbone.kind == 'compact':
        return 'mini'
    return 'paper' if config.method == MethodConfig() else 'better'


def load_recipe(source: str) -> TrainConfig:
    """
    Return a recipe by its name, or from a YAML file that names a ``recipe`` and overrides some of its keys.

    :raises UserError: if there is no such recipe or file, or it is wrong.
    """
    if source in RECIPES:
        return RECIPES[source]
    try:
        content = read_yaml(Path(source))
        if not isinstance(content.get('recipe'), str) or content['recipe'] not in RECIPES:
            raise ValueError(f"expected a mapping whose 'recipe' is one of {', '.join(RECIPES)}")
        return apply_overrides(RECIPES[content.pop('recipe')], content)
    except FileNotFoundError as error:
        raise UserError(f"no recipe '{source}': neither a YAML file nor one of {', '.join(RECIPES)}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"recipe '{source}': {error}") from error


def with_steps(recipe: TrainConfig, num_frames: int) -> TrainConfig:
    """Return the recipe with its epochs expressed in steps: whole batches only (method.md 13.1)."""
    if not recipe.epochs:
        return recipe
    frames = recipe.batch_size * recipe.clip_grad_frames
    return replace(recipe, steps=round(recipe.epochs * max(num_frames // frames, 1)), epochs=0.0)
