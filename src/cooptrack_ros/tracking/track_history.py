"""Where published tracks were in the last seconds."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..common.geometry import transform_points
from ..common.types import Boxes


class Trails:
    """Remembers centres of tracks in a fixed frame, so that trails stay right while the vehicle moves."""

    def __init__(self) -> None:
        """Start with no track."""
        self._past: dict[int, deque[tuple[int, np.ndarray]]] = {}

    def reset(self) -> None:
        """Forget all tracks."""
        self._past.clear()

    def observe(self, boxes: Boxes, map_from_lidar: np.ndarray, stamp_ns: int, keep_s: float) -> None:
        """
        Take in the tracks of a frame and forget what is older than ``keep_s``.

        :param boxes: N boxes in the lidar frame; :param map_from_lidar: 4x4 pose of that frame.
        """
        centres = transform_points(map_from_lidar, boxes.centre)
        for track_id, centre in zip(boxes.track_id.tolist(), centres, strict=True):
            self._past.setdefault(track_id, deque()).append((stamp_ns, centre))
        oldest = stamp_ns - round(keep_s * 1e9)
        for past in self._past.values():
            while past and past[0][0] < oldest:
                past.popleft()
        self._past = {track_id: past for track_id, past in self._past.items() if past}

    def of(self, track_id: int) -> np.ndarray:
        """Return the positions (n, 3) of a track in the map, oldest first; n may be 0."""
        return np.array([centre for _, centre in self._past.get(track_id, ())]).reshape(-1, 3)
