"""The shapes of tracked things: their points of all scans, each in the frame of its box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

import numpy as np

from ..common.types import Boxes

MARGIN_M = 0.1
"""Points so far outside a box still belong to it: they lie on its surface, but for noise."""
OUTSIDE_M = 0.2
"""Points nearer to a box than this belong to nothing that stands still."""
_FINE_M = 0.1
_REACH = 1000
_MERGE_EVERY = 10


class TrackPoints:
    """Collects the points of things by track."""

    def __init__(self) -> None:
        """Start with no point."""
        self._local: defaultdict[Hashable, list[np.ndarray]] = defaultdict(list)

    def add(self, track: Hashable, local: np.ndarray) -> None:
        """Keep points (N, 3) of a thing in the frame of its box."""
        kept = self._local[track]
        kept.append(local)
        if len(kept) > _MERGE_EVERY:
            kept[:] = [_thinned(np.concatenate(kept))]

    def of(self, track: Hashable, size: np.ndarray, mirrored: bool) -> np.ndarray:
        """
        Return the points of a track within a box of a size (3,), in its frame.

        :param mirrored: the thing looks alike from left and right, so that a side that was never seen is known.
        """
        known = _thinned(np.concatenate([np.zeros((0, 3)), *self._local.get(track, ())]))
        if mirrored:
            known = np.concatenate([known, known * [1.0, -1.0, 1.0]])
        # Just inside: a face may lie on the border of two voxels.
        return np.clip(known, -0.499 * size, 0.499 * size)


def _thinned(local: np.ndarray) -> np.ndarray:
    """Return one point of each cube of 0.1 m."""
    cells = np.clip(np.floor(local / _FINE_M), -_REACH, _REACH - 1).astype(np.int64) + _REACH
    return local[np.unique((cells[:, 0] * 2 * _REACH + cells[:, 1]) * 2 * _REACH + cells[:, 2], return_index=True)[1]]


def in_box_frame(boxes: Boxes, k: int, points: np.ndarray) -> np.ndarray:
    """Return points (N, 3) in the frame of box ``k``: its centre, x along its length."""
    offset = points - boxes.centre[k]
    c, s = np.cos(boxes.yaw[k]), np.sin(boxes.yaw[k])
    return np.stack([c * offset[:, 0] + s * offset[:, 1], c * offset[:, 1] - s * offset[:, 0], offset[:, 2]], axis=1)


def from_box_frame(boxes: Boxes, k: int, local: np.ndarray) -> np.ndarray:
    """Return points (N, 3) of the frame of box ``k`` in the frame of the boxes."""
    c, s = np.cos(boxes.yaw[k]), np.sin(boxes.yaw[k])
    return boxes.centre[k] + np.stack(
        [c * local[:, 0] - s * local[:, 1], s * local[:, 0] + c * local[:, 1], local[:, 2]], axis=1)


def split_scan(boxes: Boxes, points: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """
    Return the points of each box in its frame, without those on the ground below it, and which points none has.

    :param points: (N, 3) in the frame of the boxes.
    :returns: a list of (M, 3), and (N,) bool: points that are farther than 0.2 m from every box.
    """
    outside = np.ones(len(points), bool)
    own = []
    for k in range(len(boxes)):
        half = boxes.size[k] / 2
        near = np.flatnonzero(np.abs(points - boxes.centre[k]).max(1) <= np.linalg.norm(half) + OUTSIDE_M)
        local = in_box_frame(boxes, k, points[near])
        beyond = (np.abs(local) - half).max(1)
        outside[near[beyond <= OUTSIDE_M]] = False
        own.append(local[(beyond <= MARGIN_M) & (local[:, 2] > MARGIN_M - half[2])])
    return own, outside
