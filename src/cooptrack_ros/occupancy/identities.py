"""Identities of voxels of things from tracked boxes."""

from __future__ import annotations

import numpy as np

from .grids import Grid


def labels_from_boxes(semantics: np.ndarray, boxes: np.ndarray, classes: np.ndarray, ids: np.ndarray,
                      grid: Grid) -> np.ndarray:
    """
    Return the identity (X, Y, Z) of every voxel: that of the nearest of N boxes of its class, 0 without one.

    A voxel inside a box is at distance 0 from it; of equally near boxes the one of the nearest centre counts, then the
    first one.

    :param semantics: (X, Y, Z) classes of the voxels.
    :param boxes: (N, 7) centre, length, width, height and yaw in the frame of the grid.
    :param classes: (N,) like ``semantics``; :param ids: (N,).
    """
    result = np.zeros(semantics.shape, np.int64)
    for c in np.unique(classes):
        voxels = np.argwhere(semantics == c)
        own = boxes[classes == c]
        if len(voxels):
            result[tuple(voxels.T)] = ids[classes == c][_nearest(grid.centres(voxels), own)]
    return result


def _nearest(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return for each of V points (V, 3) the index of the nearest box."""
    best = np.zeros(len(points), np.int64)
    outside, middle = np.full(len(points), np.inf), np.full(len(points), np.inf)
    for k, box in enumerate(boxes):
        c, s = np.cos(box[6]), np.sin(box[6])
        offset = points - box[:3]
        local = np.stack([c * offset[:, 0] + s * offset[:, 1], c * offset[:, 1] - s * offset[:, 0], offset[:, 2]], 1)
        distance = np.linalg.norm(np.maximum(np.abs(local) - box[3:6] / 2, 0.0), axis=1)
        to_centre = np.linalg.norm(offset, axis=1)
        better = (distance < outside) | ((distance == outside) & (to_centre < middle))
        best[better], outside[better], middle[better] = k, distance[better], to_centre[better]
    return best
