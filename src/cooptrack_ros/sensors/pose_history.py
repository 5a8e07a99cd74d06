"""Recent poses of the vehicle, looked up at the time of an image."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..common.geometry import make_pose


class PoseHistory:
    """Keeps the last poses in order of time; a stamp that runs back starts anew."""

    def __init__(self, capacity: int = 500):
        """Start empty."""
        self._capacity = capacity
        self._stamps: list[int] = []
        self._poses: list[np.ndarray] = []

    def add(self, stamp_ns: int, pose: np.ndarray) -> None:
        """Add a 4x4 pose; one with a known stamp is ignored."""
        if self._stamps and stamp_ns < self._stamps[-1]:
            self._stamps, self._poses = [], []
        if not self._stamps or stamp_ns > self._stamps[-1]:
            self._stamps.append(stamp_ns)
            self._poses.append(pose)
            del self._stamps[:-self._capacity], self._poses[:-self._capacity]

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest pose, None without any."""
        return self._stamps[-1] if self._stamps else None

    def at(self, stamp_ns: int, tolerance_s: float) -> np.ndarray | None:
        """
        Return the pose at a stamp: the stored one, else interpolated between its neighbours.

        None if a neighbour is missing or farther away than the tolerance; a pose is never guessed.
        """
        index = bisect_left(self._stamps, stamp_ns)
        if index < len(self._stamps) and self._stamps[index] == stamp_ns:
            return self._poses[index]
        if index == 0 or index == len(self._stamps):
            return None
        before, after = self._stamps[index - 1], self._stamps[index]
        if max(stamp_ns - before, after - stamp_ns) > tolerance_s * 1e9:
            return None
        share = (stamp_ns - before) / (after - before)
        first, second = self._poses[index - 1], self._poses[index]
        rotations = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
        return make_pose(Slerp([0.0, 1.0], rotations)(share).as_matrix(),
                         (1 - share) * first[:3, 3] + share * second[:3, 3])
