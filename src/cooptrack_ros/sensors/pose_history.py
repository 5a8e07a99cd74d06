"""Recent poses of the vehicle, looked up at the time of an image."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..common.geometry import make_pose
from ..common.timeline import StampOrder, TimeGuard


class PoseHistory:
    """Keeps the last poses in order of time, also those that come a little late; a jump of time starts anew."""

    def __init__(self, capacity: int = 500):
        """Start empty."""
        self._capacity = capacity
        self._guard, self._jumps = TimeGuard(), 0
        self._stamps: list[int] = []
        self._poses: list[np.ndarray] = []

    def add(self, stamp_ns: int, pose: np.ndarray) -> StampOrder:
        """Add a 4x4 pose, unless its stamp is known; return how the stamp follows the others."""
        order = self._guard.check(stamp_ns)
        if order is StampOrder.JUMP:
            self._jumps += 1
            self._stamps, self._poses = [], []
        index = bisect_left(self._stamps, stamp_ns)
        if self._stamps[index:index + 1] == [stamp_ns]:
            return StampOrder.DUPLICATE
        self._stamps.insert(index, stamp_ns)
        self._poses.insert(index, pose)
        del self._stamps[:-self._capacity], self._poses[:-self._capacity]
        return order

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

    def describe(self, stamp_ns: int) -> str:
        """Return in words where the poses lie around a stamp that has none."""
        if not self._stamps:
            return 'none came'
        ran_back = f', stamps ran back {self._jumps} time(s)' if self._jumps else ''
        index = bisect_left(self._stamps, stamp_ns)
        if index == len(self._stamps):
            return f'the newest pose is {(stamp_ns - self._stamps[-1]) / 1e9:.3f} s behind' + ran_back
        if index == 0:
            return (f'the newest pose is {(self._stamps[-1] - stamp_ns) / 1e9:.3f} s ahead, the oldest '
                    f'{(self._stamps[0] - stamp_ns) / 1e9:.3f} s' + ran_back)
        return (f'the nearest are {(stamp_ns - self._stamps[index - 1]) / 1e9:.3f} s behind and '
                f'{(self._stamps[index] - stamp_ns) / 1e9:.3f} s ahead' + ran_back)
