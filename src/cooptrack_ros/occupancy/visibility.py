"""What cameras see of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .grids import Grid
from .rays import camera_rays, visited

CameraGeometry = tuple[np.ndarray, tuple[int, int]]
"""Projection (4, 4) of points in the frame of the grid to pixels, and width and height of the image."""


def seen_by_cameras(grid: Grid, occupied: np.ndarray, cameras: Sequence[CameraGeometry]) -> np.ndarray:
    """Return (X, Y, Z) bool: voxels on the rays of any camera up to the first occupied one, which is among them."""
    seen = np.zeros(grid.shape, bool)
    for projection, size in cameras:
        seen |= visited(grid, *camera_rays(projection, size), occupied)
    return seen
