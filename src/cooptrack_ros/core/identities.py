"""Compact public identities and ages of published tracks."""

from __future__ import annotations

import numpy as np

from .types import Boxes


class PublicIdentities:
    """
    Gives live tracks small numbers of their own, from 1 in order of appearance, and remembers since when.

    The network numbers every query of every frame; users want to read identities.
    """

    def __init__(self):
        """Start with no track."""
        self._public: dict[int, int] = {}
        self._since_ns: dict[int, int] = {}
        self._next = 1

    def reset(self) -> None:
        """Forget all tracks; numbers start at 1 again."""
        self.__init__()

    def translate(self, boxes: Boxes, stamp_ns: int) -> tuple[Boxes, np.ndarray]:
        """Return boxes with public ids and their ages in seconds (N,)."""
        internal = [int(i) for i in boxes.track_id]
        for number in internal:
            if number not in self._public:
                self._public[number] = self._next
                self._since_ns[number] = stamp_ns
                self._next += 1
        gone = self._public.keys() - set(internal)
        for number in gone:
            del self._public[number], self._since_ns[number]
        public = np.array([self._public[n] for n in internal], np.int64)
        ages = np.array([(stamp_ns - self._since_ns[n]) / 1e9 for n in internal])
        return boxes.with_(track_id=public), ages
