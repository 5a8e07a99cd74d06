"""Time and place of a frame, and whether it continues the one before (model.md 2.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moment:
    """When and where one frame was taken."""

    sequence: str
    stamp_ns: int
    global_from_lidar: np.ndarray
    """4x4 float64."""
    can_bus: np.ndarray
    """Absolute pose as 18 numbers, see ``core.ego_motion.can_bus``."""

    def seconds_since(self, earlier: Moment) -> float:
        """Return the time passed since an earlier moment."""
        return (self.stamp_ns - earlier.stamp_ns) / 1e9


def continues(now: Moment, previous: Moment | None, max_gap_s: float) -> bool:
    """Tell whether tracks may live on: same sequence, time not running back, gap at most ``max_gap_s``."""
    return (previous is not None and now.sequence == previous.sequence
            and 0 <= now.stamp_ns - previous.stamp_ns <= round(max_gap_s * 1e9))
