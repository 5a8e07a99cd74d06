"""Notices frames that come so slowly that every one of them starts the tracker anew."""

from __future__ import annotations

from collections import deque

import numpy as np

_GAPS = 3
"""One long gap is an interruption, so many in a row are the rate."""


class GapWatch:
    """Looks at the stamps of frames; safe to read from another thread than the one that adds."""

    def __init__(self, max_gap_s: float):
        """Start without frames; :param max_gap_s: longer gaps start the tracker anew."""
        self._max_gap_s = max_gap_s
        self._stamps: deque[int] = deque(maxlen=_GAPS + 1)

    def add(self, stamp_ns: int) -> None:
        """Take in a frame."""
        if self._stamps and stamp_ns < self._stamps[-1]:
            self._stamps.clear()
        self._stamps.append(stamp_ns)

    def problem(self) -> str:
        """Return in words that all the last gaps were too long, empty if they were not."""
        gaps_s = np.diff(np.array(self._stamps, np.int64)) / 1e9
        if len(gaps_s) < _GAPS or gaps_s.min() <= self._max_gap_s:
            return ''
        return (f'frames come at {1 / gaps_s.mean():.1f} Hz: every one starts the tracks anew, for gaps of more than '
                f'{self._max_gap_s:g} s do that (reset_gap_s of the model). Raise the rate of the images')
