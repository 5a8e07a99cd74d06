"""Which images of the anchor camera still wait for those of the other cameras."""

from __future__ import annotations

JUMP_S = 0.5
"""What lies this far ahead of a new image was taken before time was set back."""


class AnchorFrames:
    """
    Remembers the stamps of anchor images until their frame is complete or given up.

    Only stamps count, no clock: an image is given up when the anchor's next one is farther away than the tolerance.
    """

    def __init__(self, tolerance_s: float):
        """Start without images."""
        self._tolerance_ns, self._jump_ns = round(tolerance_s * 1e9), round(JUMP_S * 1e9)
        self._waiting: list[int] = []

    def add(self, stamp_ns: int) -> int:
        """Take in a new anchor image; return how many earlier ones are given up with it."""
        kept = [s for s in self._waiting
                if stamp_ns - self._tolerance_ns <= s <= stamp_ns + self._jump_ns and s != stamp_ns]
        given_up = len(self._waiting) - len(kept)
        self._waiting = [*kept, stamp_ns]
        return given_up

    def complete(self, stamp_ns: int) -> bool:
        """Tell whether the frame of an anchor image may be used; False if the image was given up before."""
        if stamp_ns not in self._waiting:
            return False
        self._waiting.remove(stamp_ns)
        return True
