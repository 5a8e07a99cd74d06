"""A small grid of voxels, a small head on it, and the network that goes with both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cooptrack_ros.common.config import EGO_RANGE
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.model.occupancy.sizes import MINI_HEAD
from cooptrack_ros.occupancy.grids import GRIDS, Grid, Profile
from cooptrack_ros.occupancy.label_file import VoxelLabels, label_path, write_voxels
from cooptrack_ros.occupancy.taxonomy import V2X
from support.configs import TINY
from support.small_tracker import make_frame

SHAPE = (32, 32, 4)
_EXTENT = [high - low for low, high in zip(EGO_RANGE.pc_range[:3], EGO_RANGE.pc_range[3:])]
GRID = Grid(EGO_RANGE.pc_range[:3], tuple(e / n for e, n in zip(_EXTENT, SHAPE)), SHAPE)
PROFILE = Profile('small', V2X, GRID, 0.0)
SMALL_CONFIG = replace(TINY, bev_size=(8, 8), num_queries=20)
"""Its cells are four voxels wide."""
OWN_SIZES = replace(MINI_HEAD, profile='small', lift_dims=8, volume_dims=8, mask_dims=(8, 6), thing_queries=10,
                    stuff_queries=4, ffn_dims=16)
TRACKER_SIZES = OWN_SIZES.with_queries('tracker')


@pytest.fixture
def small_grid(monkeypatch):
    """Let the small grid be known by its name."""
    monkeypatch.setitem(GRIDS, 'small', PROFILE)
    return GRID


def block_labels(blocks, grid_shape=SHAPE):
    """
    Return labels of ground in the lowest layer and of blocks above it, all of it visible but the highest layer.

    :param blocks: identity, class, first and last index in x and in y of each.
    """
    semantics, instances = np.full(grid_shape, V2X.free, np.uint8), np.zeros(grid_shape, np.uint16)
    semantics[:, :, 0] = V2X.classes.index('ground')
    for identity, c, x0, x1, y0, y1 in blocks:
        semantics[x0:x1, y0:y1, 1:3], instances[x0:x1, y0:y1, 1:3] = c, identity
    seen = np.ones(grid_shape, np.uint8)
    seen[:, :, -1] = 0
    names = np.array([b[0] for b in blocks], np.int64)
    return VoxelLabels(semantics, instances, np.ones(grid_shape, np.uint8), seen, names, names)


class VoxelRecords:
    """A data set of one sequence of noise in which a car and a pedestrian move; the latter leaves."""

    def __init__(self, folder: Path, count: int = 4):
        """Write the labels of some frames, the last of which has none."""
        self.root, self.units = folder, {'': self}
        self.records = [self._record(folder, i, i < count - 1) for i in range(count)]

    def training_records(self, side: str) -> list:
        """Return the frames."""
        return self.records

    def _record(self, folder: Path, i: int, labelled: bool):
        blocks = [(3, 1, 20 + i, 23 + i, 14, 16)] + ([(9, 3, 24, 25, 20, 21)] if i < 2 else [])
        path, frame = label_path(folder, 'small', str(i)), make_frame(i)
        if labelled:
            write_voxels(path, block_labels(blocks))
        return SimpleNamespace(
            sequence='a', stamp_us=frame.stamp_ns // 1000, token=str(i), unit='', boxes=Boxes.empty(), classes=('car',),
            occupancy={'small': path} if labelled else {}, frame=lambda least=None, sensors=None: frame,
            global_from_lidar=frame.global_from_lidar)
