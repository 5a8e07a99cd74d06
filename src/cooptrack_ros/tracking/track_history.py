"""Where published tracks were in the last seconds, and how they turn."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..common.geometry import transform_points, wrap_angle
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


_TURN_S, _MIN_TURN_S, _MIN_LOOKS = 1.0, 0.3, 4
"""Headings of this time tell how a track turns; less than the others tell nothing."""
_FLIP_RAD = np.pi / 2
"""A heading that is farther from that of the frame before has been mistaken for the opposite one."""


class TurnRates:
    """How tracks turn: the slope of their headings in the map over the last second, by least squares."""

    def __init__(self) -> None:
        """Start with no track."""
        self._past: dict[int, deque[tuple[int, float]]] = {}

    def observe(self, boxes: Boxes, stamp_ns: int, reset: bool) -> None:
        """Take in the tracks of a frame, boxes in the map; :param reset: earlier identities mean nothing any more."""
        known, self._past = {} if reset else self._past, {}
        for number, yaw in zip(boxes.track_id.tolist(), boxes.yaw.tolist(), strict=True):
            past = known.get(number, deque())
            turn = wrap_angle(yaw - past[-1][1]) if past else 0.0
            if past and (abs(turn) > _FLIP_RAD or stamp_ns <= past[-1][0]):
                past.clear()
            # Unwrapped, so that a car that turns through north goes on.
            past.append((stamp_ns, past[-1][1] + turn if past else yaw))
            while stamp_ns - past[0][0] > _TURN_S * 1e9:
                past.popleft()
            self._past[number] = past

    def rates(self) -> dict[int, float]:
        """Return the rates (rad/s) of the tracks of the last frame that are known for long enough."""
        return {number: _slope(past) for number, past in self._past.items()
                if len(past) >= _MIN_LOOKS and past[-1][0] - past[0][0] >= _MIN_TURN_S * 1e9}


def _slope(past: deque[tuple[int, float]]) -> float:
    seconds = np.array([(stamp - past[-1][0]) / 1e9 for stamp, _ in past])
    seconds -= seconds.mean()
    return float(seconds @ [yaw for _, yaw in past] / (seconds @ seconds))
