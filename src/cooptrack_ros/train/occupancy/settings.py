"""Weights of the occupancy losses; defaults are those of the published code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OccupancyConfig:
    """The block ``occupancy`` of a recipe."""

    cls_weight: float = 4.0
    """Of the focal loss of the classes of things and of stuff; also in the matching."""
    thing_bce_weight: float = 100.0
    stuff_bce_weight: float = 5.0
    dice_weight: float = 5.0
    match_bce_weight: float = 5.0
    """In the matching, where masks of things and stuff count alike; Dice has ``dice_weight`` there."""
    position_weight: float = 0.075
    """Of the place and velocity of things, metres and m/s; 0: the head learns nothing of them."""
    velocity_share: float = 0.2
    """How much a m/s counts of a metre there."""
    semantics_weight: float = 2.0
    """Of the classes of all visible voxels, which layers that exist only in training read from the mask features."""
    gate_m: float = 3.0
    """With tracks of the tracker: the farthest that one may be from the thing whose mask it learns."""
    freeze_bev: bool = False
    """Do not train the BEV encoder; tracks of the tracker are only used with a tracker that is not trained at all."""
