"""A small grid of voxels, a small head on it, and the network that goes with both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cooptrack_ros.common.config import EGO_RANGE
from cooptrack_ros.model.occupancy.sizes import MINI_HEAD
from cooptrack_ros.occupancy.grids import GRIDS, Grid, Profile
from cooptrack_ros.occupancy.taxonomy import V2X
from support.small_tracker import CONFIG

SHAPE = (32, 32, 4)
_EXTENT = [high - low for low, high in zip(EGO_RANGE.pc_range[:3], EGO_RANGE.pc_range[3:])]
GRID = Grid(EGO_RANGE.pc_range[:3], tuple(e / n for e, n in zip(_EXTENT, SHAPE)), SHAPE)
SMALL_CONFIG = replace(CONFIG, bev_size=(8, 8))
"""Its cells are four voxels wide."""
OWN_SIZES = replace(MINI_HEAD, profile='small', lift_dims=8, volume_dims=8, mask_dims=(8, 6), thing_queries=10,
                    stuff_queries=4, ffn_dims=16)
TRACKER_SIZES = OWN_SIZES.with_queries('tracker')


@pytest.fixture
def small_grid(monkeypatch):
    """Let the small grid be known by its name."""
    monkeypatch.setitem(GRIDS, 'small', Profile('small', V2X, GRID, 0.0))
    return GRID
