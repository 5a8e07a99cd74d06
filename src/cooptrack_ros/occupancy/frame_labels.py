"""Labels of one frame from what stands still and from the shapes of things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.geometry import transform_points
from .grids import Grid
from .label_file import VoxelLabels
from .painting import paint
from .static_map import StaticWorld
from .taxonomy import V2X
from .visibility import CameraGeometry, grid_below, seen_by_cameras


@dataclass(frozen=True)
class Thing:
    """A thing in a frame: class, identity, that of its box in the labels of the side or -1, its points (N, 3)."""

    class_: int
    identity: int
    track_id: int
    points: np.ndarray


def label_frame(grid: Grid, lidar_from_world: np.ndarray, world: StaticWorld, things: Sequence[Thing],
                cameras: Sequence[CameraGeometry]) -> VoxelLabels:
    """
    Return the labels of a frame; what no ray has crossed and where nothing was hit is not known.

    :param lidar_from_world: (4, 4) affine, into the frame of the grid.
    """
    ground, general = (transform_points(lidar_from_world, points) for points in (world.ground, world.general))
    tall, layers = grid_below(grid, cameras), grid.shape[2]
    volume = paint(tall, ground, general, [(t.class_, t.identity, t.points) for t in things])
    occupied = volume.semantics != V2X.free
    centres = transform_points(np.linalg.inv(lidar_from_world), grid.all_centres().reshape(-1, 3))
    inside, place = world.grid.indices(centres)
    known = occupied[..., :layers].flatten()
    known[inside] |= world.free.ravel()[place]
    known = known.reshape(grid.shape)
    seen = known & seen_by_cameras(tall, occupied, cameras)[..., :layers]
    return VoxelLabels(volume.semantics[..., :layers], volume.instances[..., :layers], known.astype(np.uint8),
                       seen.astype(np.uint8), np.array([t.identity for t in things], np.int64),
                       np.array([t.track_id for t in things], np.int64))
