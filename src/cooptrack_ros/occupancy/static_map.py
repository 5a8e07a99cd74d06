"""What stands still around the agents of a sequence: points of all their scans, and what rays have crossed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grids import Grid
from .rays import visited

GROUND_M = 0.3
"""Points so near to the height of the ground belong to it."""
_FINE_M = 0.15
"""One point is kept of each cube of this size."""
_CELL_M = 2.0
_LOWEST_SHARE = 0.1
_LEAST_FRAMES = 2
_LEAST_SHARE = 0.2
_MERGE_EVERY = 20


@dataclass(frozen=True)
class StaticWorld:
    """Points (N, 3) in the world of the ground and of what stands on it; ``free`` voxels of ``grid``, as bool."""

    ground: np.ndarray
    general: np.ndarray
    grid: Grid
    free: np.ndarray


class StaticMap:
    """
    Collects scans in the world; voxels are those of a grid that lies parallel to its axes.

    Counts, for every voxel, in how many scans a ray ended there and in how many rays only crossed it.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, voxel: tuple[float, float, float]) -> None:
        """Start with no scan; ``low`` and ``high`` (3,) bound what is kept, metres."""
        shape = np.maximum(np.ceil((high - low) / voxel), 1).astype(int)
        self.grid = Grid(tuple(np.asarray(low, float)), voxel, tuple(shape.tolist()))
        self._fine = Grid(self.grid.origin, (_FINE_M,) * 3, tuple(
            np.ceil(shape * voxel / _FINE_M).astype(int).tolist()))
        self._hits, self._passes = (np.zeros(self.grid.shape, np.uint16) for _ in range(2))
        self._waiting: list[np.ndarray] = []

    def add(self, sensor: np.ndarray, points: np.ndarray, standing: np.ndarray) -> None:
        """
        Take one scan.

        :param sensor: (3,) where its rays start; :param points: (N, 3) where they end.
        :param standing: (N,) bool, which points may belong to what stands still.
        """
        hit = np.zeros(self.grid.shape, bool)
        hit.ravel()[self.grid.indices(points)[1]] = True
        self._passes += visited(self.grid, sensor, points) & ~hit
        still = points[standing]
        hit[:] = False
        hit.ravel()[self.grid.indices(still)[1]] = True
        self._hits += hit
        self._waiting.append(self._thinned(still))
        if len(self._waiting) > _MERGE_EVERY:
            self._waiting = [self._thinned(np.concatenate(self._waiting))]

    def _thinned(self, points: np.ndarray) -> np.ndarray:
        points = points[self.grid.indices(points)[0]]
        return points[np.unique(self._fine.indices(points)[1], return_index=True)[1]]

    def finish(self) -> StaticWorld:
        """
        Return what all scans together show.

        What is not ground must have been hit in two scans, and in a fifth of those whose rays came to its voxel: a
        thing that no box names leaves a trail that most rays cross.
        """
        points = self._thinned(np.concatenate([np.zeros((0, 3)), *self._waiting]))
        is_ground = np.abs(points[:, 2] - ground_height(points)) <= GROUND_M
        general = points[~is_ground]
        place = self.grid.indices(general)[1]
        hits, passes = self._hits.ravel()[place].astype(np.int64), self._passes.ravel()[place]
        lasting = (hits >= _LEAST_FRAMES) & (hits >= _LEAST_SHARE * (hits + passes))
        return StaticWorld(points[is_ground], general[lasting], self.grid, self._passes > 0)


def ground_height(points: np.ndarray) -> np.ndarray:
    """
    Return the height (N,) of the ground at points (N, 3).

    That is the height below which a tenth of the points of a cell of 2 m lie, then the median of nine cells.
    """
    if not len(points):
        return np.zeros(0)
    cells = np.floor(points[:, :2] / _CELL_M).astype(np.int64)
    cells -= cells.min(0) - 1
    shape = cells.max(0) + 2
    flat = np.ravel_multi_index(tuple(cells.T), shape)
    order = np.lexsort((points[:, 2], flat))
    cell, first, count = np.unique(flat[order], return_index=True, return_counts=True)
    lowest = np.full(shape, np.nan)
    lowest.ravel()[cell] = points[order[first + (_LOWEST_SHARE * count).astype(np.int64)], 2]
    around = np.stack([np.roll(lowest, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    # Only at cells with points; each of them has itself in the median.
    height = np.full(shape, np.nan)
    height.ravel()[cell] = np.nanmedian(around.reshape(9, -1)[:, cell], axis=0)
    return height.ravel()[flat]
