"""The newest point clouds of an agent by their stamps, and which of them belongs to a frame."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import numpy as np

from ..common.timeline import StampOrder, TimeGuard
from .camera_sync import JUMP_S

T = TypeVar('T')
_CAPACITY = 10
_LEAST_SILENCE_S = 0.35
"""Shorter than the gap from which a tracker starts anew, longer than any that cameras leave now and then."""
_FIRST_IMAGE_S = 1.0
"""So long clouds wait for the first image."""
_INTERVALS = 5


class CloudBuffer(Generic[T]):
    """Keeps the last clouds, whatever they are; a jump of time starts anew."""

    def __init__(self, max_age_s: float):
        """Start empty; :param max_age_s: how far a cloud may lie from the frame that it is used for."""
        self._max_age_ns = round(max_age_s * 1e9)
        self._guard = TimeGuard()
        self._clouds: dict[int, T] = {}

    def add(self, stamp_ns: int, cloud: T) -> StampOrder:
        """Add a cloud, unless there is one of that stamp; return how the stamp follows the others."""
        order = self._guard.check(stamp_ns)
        if order is StampOrder.JUMP:
            self._clouds = {}
        if order is not StampOrder.DUPLICATE:
            self._clouds.setdefault(stamp_ns, cloud)
        if len(self._clouds) > _CAPACITY:
            del self._clouds[min(self._clouds)]
        return order

    def nearest(self, stamp_ns: int) -> tuple[int, T] | None:
        """Return stamp and cloud nearest to a stamp, None if none is near enough."""
        best = min(self._clouds, key=lambda at: abs(at - stamp_ns), default=None)
        if best is None or abs(best - stamp_ns) > self._max_age_ns:
            return None
        return best, self._clouds[best]

    def describe(self, stamp_ns: int) -> str:
        """Return in words which clouds there are around a stamp."""
        if not self._clouds:
            return 'none came'
        best = min(self._clouds, key=lambda at: abs(at - stamp_ns))
        return f'the nearest is {abs(best - stamp_ns) / 1e9:.3f} s {"behind" if best < stamp_ns else "ahead"}'


class SilentImages:
    """
    Tells when images have stopped, by the stamps of images and clouds alone: then clouds make frames of their own.

    They have after three of their usual intervals, after a second if none ever came.
    """

    def __init__(self) -> None:
        """Start before the first image."""
        self._last_ns: int | None = None
        self._first_cloud_ns: int | None = None
        self._intervals: deque[int] = deque(maxlen=_INTERVALS)

    def image(self, stamp_ns: int) -> None:
        """Take in the stamp of an image."""
        if self._last_ns is not None and stamp_ns > self._last_ns and stamp_ns - self._last_ns < self._patience_ns:
            self._intervals.append(stamp_ns - self._last_ns)
        self._last_ns = stamp_ns

    def cloud(self, stamp_ns: int) -> bool:
        """Tell whether a cloud of a stamp has to do without images."""
        jump_ns = JUMP_S * 1e9
        if self._last_ns is not None and stamp_ns < self._last_ns - jump_ns:
            # Time was set back.
            self._last_ns = self._first_cloud_ns = None
        if self._last_ns is not None:
            return stamp_ns - self._last_ns > self._patience_ns
        if self._first_cloud_ns is None or stamp_ns < self._first_cloud_ns:
            self._first_cloud_ns = stamp_ns
        return stamp_ns - self._first_cloud_ns > _FIRST_IMAGE_S * 1e9

    @property
    def _patience_ns(self) -> float:
        if not self._intervals:
            return _FIRST_IMAGE_S * 1e9
        return max(3 * float(np.median(self._intervals)), _LEAST_SILENCE_S * 1e9)
