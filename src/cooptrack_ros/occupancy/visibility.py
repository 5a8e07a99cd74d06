"""What cameras see of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .grids import Grid
from .rays import camera_rays, visited

CameraGeometry = tuple[np.ndarray, tuple[int, int]]
"""Projection (4, 4) of points in the frame of the grid to pixels, and width and height of the image."""


def camera_height(camera: CameraGeometry) -> float:
    """Return how high a camera is in the frame of the grid, metres."""
    projection = camera[0]
    return float(-np.linalg.solve(projection[:3, :3], projection[:3, 3])[2])


def grid_below(grid: Grid, cameras: Sequence[CameraGeometry]) -> Grid:
    """
    Return a grid with further layers on top, if a camera is above it.

    What hides things from such a camera may be higher than the grid.
    """
    return grid.up_to(max([grid.top, *map(camera_height, cameras)]))


def seen_by_cameras(grid: Grid, occupied: np.ndarray, cameras: Sequence[CameraGeometry]) -> np.ndarray:
    """Return (X, Y, Z) bool: voxels on the rays of any camera up to the first occupied one, which is among them."""
    seen = np.zeros(grid.shape, bool)
    for projection, size in cameras:
        seen |= visited(grid, *camera_rays(projection, size), occupied)
    return seen


def seen_in(grid: Grid, occupied: np.ndarray, cameras: Sequence[CameraGeometry]) -> np.ndarray:
    """Return ``seen_by_cameras`` also for cameras above the grid; nothing above it hides anything."""
    tall = grid_below(grid, cameras)
    above = np.zeros((*grid.shape[:2], tall.shape[2] - grid.shape[2]), bool)
    return seen_by_cameras(tall, np.concatenate([occupied, above], axis=2), cameras)[..., :grid.shape[2]]
