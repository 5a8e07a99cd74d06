"""The poses of one frame in its parent over time."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
from tf_transformations import quaternion_inverse, quaternion_matrix, quaternion_multiply, quaternion_slerp

from .exceptions import ExtrapolationException


@dataclass(frozen=True)
class Pose:
    """Maps points of one frame into another: rotate by a unit quaternion (x, y, z, w), then translate (m)."""

    translation: np.ndarray
    rotation: np.ndarray

    @staticmethod
    def identity() -> Pose:
        """Return the pose that changes nothing."""
        return Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))

    def __matmul__(self, other: Pose) -> Pose:
        """Return the pose that applies ``other`` first."""
        return Pose(quaternion_matrix(self.rotation)[:3, :3] @ other.translation + self.translation,
                    quaternion_multiply(self.rotation, other.rotation))

    def inverse(self) -> Pose:
        """Return the pose of the other direction."""
        rotation = quaternion_inverse(self.rotation)
        return Pose(-quaternion_matrix(rotation)[:3, :3] @ self.translation, rotation)


class History:
    """Samples of (parent, pose), sorted by stamp in ns; a static one holds one sample, valid at any time."""

    def __init__(self, static: bool):
        self.static = static
        self._stamps: list[int] = []
        self._samples: list[tuple[str, Pose]] = []

    def insert(self, stamp: int, parent: str, pose: Pose, cache_ns: int) -> bool:
        """Store a sample and forget those older than the cache; return False if it is itself too old."""
        if self.static:
            self._stamps, self._samples = [0], [(parent, pose)]
            return True
        if self._stamps and stamp < self._stamps[-1] - cache_ns:
            return False
        i = bisect.bisect_left(self._stamps, stamp)
        if i < len(self._stamps) and self._stamps[i] == stamp:
            self._samples[i] = (parent, pose)
        else:
            self._stamps.insert(i, stamp)
            self._samples.insert(i, (parent, pose))
        old = bisect.bisect_left(self._stamps, self._stamps[-1] - cache_ns)
        del self._stamps[:old], self._samples[:old]
        return True

    def clear(self) -> None:
        """Forget everything, unless static."""
        if not self.static:
            self._stamps, self._samples = [], []

    def latest(self) -> tuple[int, str] | None:
        """Return stamp and parent of the newest sample, None without samples."""
        return (self._stamps[-1], self._samples[-1][0]) if self._stamps else None

    def at(self, stamp: int) -> tuple[str, Pose] | None:
        """
        Return parent and pose at a stamp, between two samples interpolated; None without samples.

        :raises ExtrapolationException: before the first or after the last sample.
        """
        if self.static or not self._stamps:
            return self._samples[0] if self._samples else None
        i = bisect.bisect_left(self._stamps, stamp)
        if i < len(self._stamps) and self._stamps[i] == stamp:
            return self._samples[i]
        if i in (0, len(self._stamps)):
            where, limit = ('past', self._stamps[0]) if i == 0 else ('future', self._stamps[-1])
            raise ExtrapolationException(
                f'Lookup would require extrapolation into the {where}. Requested time {stamp / 1e9:.6f} but the '
                f'{"earliest" if i == 0 else "latest"} data is at time {limit / 1e9:.6f}')
        (parent, before), (other_parent, after) = self._samples[i - 1:i + 1]
        if parent != other_parent:
            return parent, before
        fraction = (stamp - self._stamps[i - 1]) / (self._stamps[i] - self._stamps[i - 1])
        return parent, Pose((1.0 - fraction) * before.translation + fraction * after.translation,
                            np.asarray(quaternion_slerp(before.rotation, after.rotation, fraction)))
