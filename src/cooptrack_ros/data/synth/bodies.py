"""Points in and on the bodies that images and beams show."""

from __future__ import annotations

import numpy as np


def body_points(faces: np.ndarray, step: np.ndarray) -> np.ndarray:
    """
    Return points (N, 3) of a body of convex faces (F, K, 3), about ``step`` (3,) apart.

    They lie on the faces, and between the lowest and the highest face of each upright column of a footprint of
    ``step``: a body is solid, but has its gaps, such as that below a handlebar.
    """
    surface = np.concatenate([np.zeros((0, 3)), *(_triangle(t, float(step.min())) for t in _triangles(faces))])
    _, column = np.unique(np.floor(surface[:, :2] / step[:2]).astype(np.int64), axis=0, return_inverse=True)
    column = column.reshape(-1)
    count = int(column.max(initial=-1)) + 1
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, column, surface[:, 2])
    np.maximum.at(high, column, surface[:, 2])
    size = np.bincount(column, minlength=count)
    middle = np.stack([np.bincount(column, surface[:, a], count) / size for a in (0, 1)], axis=1)
    levels = np.floor((high - low) / step[2]).astype(np.int64) + 1
    owner = np.repeat(np.arange(count), levels)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(levels) - levels, levels)
    return np.concatenate([surface, np.column_stack([middle[owner], low[owner] + rank * step[2]])])


def _triangles(faces: np.ndarray) -> np.ndarray:
    """Return the triangles (T, 3, 3) of convex faces, whose last corner may be repeated."""
    first = np.broadcast_to(faces[:, :1], faces[:, 1:-1].shape)
    triangles = np.stack([first, faces[:, 1:-1], faces[:, 2:]], axis=2).reshape(-1, 3, 3)
    sides = triangles[:, 1:] - triangles[:, :1]
    return triangles[np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=-1) > 1e-9]


def _triangle(corners: np.ndarray, step: float) -> np.ndarray:
    """Return points (N, 3) on a triangle, at most ``step`` apart along its sides."""
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).max()
    n = max(int(np.ceil(longest / step)), 1)
    i, j = np.triu_indices(n + 1)
    return corners[0] + (j[:, None] - i[:, None]) / n * (corners[1] - corners[0]) + i[:, None] / n * (
        corners[2] - corners[0])
