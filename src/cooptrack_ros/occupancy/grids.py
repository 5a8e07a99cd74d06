"""Grids of voxels by name: where they lie around a side, and what their voxels may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..common.config import EGO_RANGE, INFRA_RANGE
from ..common.types import Side
from .taxonomy import V2X, WAYMO, Taxonomy


@dataclass(frozen=True)
class Grid:
    """
    Voxels of one size; index (i, j, k) goes along x, y, z.

    ``origin`` is the lowest corner in metres, ``voxel`` the size of a voxel (x, y, z), ``shape`` their number.
    """

    origin: tuple[float, float, float]
    voxel: tuple[float, float, float]
    shape: tuple[int, int, int]

    def centres(self, voxels: np.ndarray) -> np.ndarray:
        """Return the centres (..., 3) of voxels given by index (..., 3)."""
        return self.origin + (voxels + 0.5) * self.voxel

    @property
    def extent(self) -> np.ndarray:
        """Size of the whole (3,), metres."""
        return np.multiply(self.shape, self.voxel)

    @property
    def top(self) -> float:
        """Height of the upper face, metres."""
        return float(self.origin[2] + self.extent[2])

    def up_to(self, height: float) -> Grid:
        """Return the grid with further layers on top, as many as reach a height in metres."""
        layers = max(math.ceil((height - self.top) / self.voxel[2]), 0)
        return replace(self, shape=(*self.shape[:2], self.shape[2] + layers))

    def all_centres(self) -> np.ndarray:
        """Return the centres of all voxels (X, Y, Z, 3)."""
        return self.centres(np.moveaxis(np.indices(self.shape), 0, -1))

    def places(self, points: np.ndarray) -> np.ndarray:
        """Return points (..., 3) in voxels from the origin: the whole part is an index where it is in the grid."""
        return (points - self.origin) / self.voxel

    def indices(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of N points lie in the grid (N,), and the flat index of the voxel of each of those."""
        voxels = np.floor(self.places(points)).astype(np.int64)
        inside = ((voxels >= 0) & (voxels < self.shape)).all(-1)
        return inside, np.ravel_multi_index(tuple(voxels[inside].T), self.shape)


@dataclass(frozen=True)
class Profile:
    """A grid by name: its classes, and the grid around the vehicle; the roadside one lies before the unit."""

    name: str
    taxonomy: Taxonomy
    vehicle: Grid
    roadside_x: float | None

    def grid(self, side: Side) -> Grid:
        """
        Return the grid in the lidar frame of a side.

        :raises ValueError: for the roadside, if there is none.
        """
        if side is not Side.ROADSIDE:
            return self.vehicle
        if self.roadside_x is None:
            raise ValueError(f'grid {self.name} has no roadside')
        return replace(self.vehicle, origin=(self.roadside_x, *self.vehicle.origin[1:]))


def _in_range(shape: tuple[int, int, int]) -> Grid:
    """Return the grid that fills the range of the vehicle."""
    low, high = np.array(EGO_RANGE.pc_range[:3]), np.array(EGO_RANGE.pc_range[3:])
    return Grid(tuple(low.tolist()), tuple(((high - low) / shape).tolist()), shape)


def _profiles(profiles: Sequence[Profile]) -> dict[str, Profile]:
    return {profile.name: profile for profile in profiles}


TOY = 'toy'
"""The grid of a sequence that is only there to be learned by heart."""
GRIDS = _profiles((
    Profile('mini', V2X, _in_range((160, 160, 8)), INFRA_RANGE.pc_range[0]),
    Profile('v2x', V2X, _in_range((200, 200, 16)), INFRA_RANGE.pc_range[0]),
    Profile('waymo', WAYMO, Grid((-40.0, -40.0, -1.0), (0.4, 0.4, 0.4), (200, 200, 16)), None),
    Profile(TOY, V2X, Grid((0.0, -12.0, -2.0), (0.5, 0.5, 1.0), (48, 48, 4)), None),
))
LABELLED = tuple(name for name, profile in GRIDS.items() if profile.taxonomy is V2X and name != TOY)
"""Grids whose classes can be told from boxes and points."""
