"""Rays through a grid, voxel by voxel (Amanatides and Woo), many at a time."""

from __future__ import annotations

import numpy as np

from .grids import Grid

PIXELS_PER_RAY = 8
"""A camera has one ray for so many pixels in each direction."""
_FAR_M = 250.0
_COMPACT_EVERY = 8
_BEGIN = 1e-9


def visited(grid: Grid, starts: np.ndarray, ends: np.ndarray, stops: np.ndarray | None = None) -> np.ndarray:
    """
    Return the voxels (X, Y, Z) bool that rays cross.

    :param starts: (R, 3) or (3,) metres in the frame of the grid; :param ends: (R, 3). Both may lie outside.
    :param stops: (X, Y, Z) bool, voxels behind which rays see nothing; they are visited themselves.
    """
    seen = np.zeros(int(np.prod(grid.shape)), bool)
    rays = _Rays(grid, starts, ends)
    solid = None if stops is None else np.asarray(stops, bool).ravel()
    for step in range(sum(grid.shape) + 3):
        seen[rays.flat] = True
        if step % _COMPACT_EVERY == 0:
            rays.forget_ended()
            if not len(rays.flat):
                break
        rays.advance(None if solid is None else solid[rays.flat])
    return seen.reshape(grid.shape)


class _Rays:
    """
    Rays that are under way; one that has ended stays in its last voxel until it is forgotten.

    ``flat`` (R,) is the index of the voxel in which each ray is. The arrays of three rows are in voxels by axis; ``t``
    runs from 0 at the start of a ray to 1 at its end.
    """

    def __init__(self, grid: Grid, starts: np.ndarray, ends: np.ndarray) -> None:
        shape = np.array(grid.shape)[:, None]
        strides = np.array([grid.shape[1] * grid.shape[2], grid.shape[2], 1])[:, None]
        begin, end = (grid.places(np.broadcast_to(points, np.shape(ends))).T for points in (starts, ends))
        way = end - begin
        way = np.where(np.abs(way) < _BEGIN, _BEGIN, way)
        # The part of the ray that lies in the grid.
        first, second = -begin / way, (shape - begin) / way
        enter = np.maximum(np.minimum(first, second).max(0), 0.0)
        leave = np.minimum(np.maximum(first, second).min(0), 1.0)
        crossing = enter < leave
        begin, way, enter = begin[:, crossing], way[:, crossing], enter[crossing]
        voxel = np.clip(np.floor(begin + way * enter + np.sign(way) * _BEGIN), 0, shape - 1)
        # Sums of steps are not exact: without a margin a ray could step out of the grid.
        self._leave = leave[crossing] - _BEGIN
        self._step = (np.sign(way) * strides).astype(np.int64)
        self._next_t = (voxel + (way > 0) - begin) / way
        self._delta_t = 1.0 / np.abs(way)
        self.flat = (voxel.astype(np.int64) * strides).sum(0)

    def advance(self, stopped: np.ndarray | None) -> None:
        """Move every ray into its next voxel, unless it ends in this one or ``stopped`` (R,) says so."""
        axis = self._next_t.argmin(0)
        column = np.arange(len(axis))
        at = self._next_t[axis, column]
        moves = at < self._leave
        if stopped is not None:
            self._leave[stopped] = -1.0
            moves &= ~stopped
        axis, column = axis[moves], column[moves]
        self._next_t[axis, column] += self._delta_t[axis, column]
        self.flat[column] += self._step[axis, column]

    def forget_ended(self) -> None:
        """Leave out the rays that will not move any more."""
        going = self._next_t.min(0) < self._leave
        if not going.all():
            self._leave, self.flat = self._leave[going], self.flat[going]
            self._step, self._next_t, self._delta_t = (
                rows[:, going] for rows in (self._step, self._next_t, self._delta_t))


def camera_rays(img_from_lidar: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """
    Return where the rays of a camera start (3,) and end (R, 3), in the lidar frame.

    :param img_from_lidar: (4, 4) projection, its linear part need not be a rotation.
    :param size: width and height of its image in pixels.
    """
    width, height = size
    middle = (PIXELS_PER_RAY - 1) / 2
    columns, rows = (np.arange(middle, count, PIXELS_PER_RAY) for count in (width, height))
    pixels = np.stack([*(a.ravel() for a in np.meshgrid(columns, rows)), np.ones(len(columns) * len(rows))])
    lidar_from_pixel = np.linalg.inv(img_from_lidar[:3, :3])
    centre = -lidar_from_pixel @ img_from_lidar[:3, 3]
    ways = (lidar_from_pixel @ pixels).T
    return centre, centre + ways / np.linalg.norm(ways, axis=1, keepdims=True) * _FAR_M
