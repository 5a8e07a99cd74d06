"""Time and place of a frame, and whether it continues the one before (method.md 2.4)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum

import numpy as np


@dataclass(frozen=True)
class StampedPose:
    """When and where one frame was taken."""

    sequence: str
    stamp_ns: int
    global_from_lidar: np.ndarray
    """4x4 float64."""
    can_bus: np.ndarray
    """Absolute pose as 18 numbers, see ``common.ego_motion.can_bus``."""

    def seconds_since(self, earlier: StampedPose) -> float:
        """Return the time passed since an earlier pose."""
        return (self.stamp_ns - earlier.stamp_ns) / 1e9


def continues(now: StampedPose, previous: StampedPose | None, max_gap_s: float) -> bool:
    """Tell whether tracks may live on: same sequence, time not running back, gap at most ``max_gap_s``."""
    return (previous is not None and now.sequence == previous.sequence
            and 0 <= now.stamp_ns - previous.stamp_ns <= round(max_gap_s * 1e9))


class StampOrder(Enum):
    """How the stamp of a frame follows the one before."""

    FIRST = 'first'
    NEXT = 'next'
    DUPLICATE = 'duplicate'
    LATE = 'late'
    JUMP = 'jump'


class TimeGuard:
    """Watches the stamps of one source: late frames are distinguished from a clock that was set back."""

    def __init__(self, jump_s: float = 0.5):
        """
        Start before the first frame.

        :param jump_s: a stamp that lies farther back than this is a jump of time, not a late frame.
        """
        self._jump_ns = round(jump_s * 1e9)
        self._last_ns: int | None = None

    def check(self, stamp_ns: int) -> StampOrder:
        """Return how this stamp follows the last accepted one; duplicates and late ones are not accepted."""
        last = self._last_ns
        if last is None:
            order = StampOrder.FIRST
        elif stamp_ns > last:
            order = StampOrder.NEXT
        elif stamp_ns == last:
            return StampOrder.DUPLICATE
        elif stamp_ns >= last - self._jump_ns:
            return StampOrder.LATE
        else:
            order = StampOrder.JUMP
        self._last_ns = stamp_ns
        return order


class StageTimes:
    """Adds up the time between marks under their names."""

    def __init__(self) -> None:
        """Start the clock."""
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Book the time since the last mark on a stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
