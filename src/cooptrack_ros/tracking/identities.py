"""Compact public identities of published tracks, how long they are known and since when they are missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.types import Boxes

KEEP_S = 5.0
"""Tracks that are not reported for so long are forgotten."""


@dataclass
class _Known:
    public: int
    since_ns: int
    seen_ns: int
    missed: int


class TrackAges:
    """Since when tracks are reported, by their own identities; those that were not for a while start anew."""

    def __init__(self) -> None:
        """Know of no track."""
        self._times: dict[int, tuple[int, int]] = {}

    def observe(self, ids: np.ndarray, stamp_ns: int) -> np.ndarray:
        """Take in the tracks (N,) that are reported at a time; return the seconds (N,) since each was first."""
        since = [self._times.get(n, (stamp_ns, stamp_ns))[0] for n in ids.tolist()]
        self._times |= {n: (first, stamp_ns) for n, first in zip(ids.tolist(), since, strict=True)}
        self._times = {n: t for n, t in self._times.items() if 0 <= stamp_ns - t[1] <= KEEP_S * 1e9}
        return (stamp_ns - np.array(since, np.int64)) / 1e9


class PublicIdentities:
    """
    Gives tracks small numbers of their own, from 1 in order of appearance.

    The network numbers every query of every frame; users want to read identities. A track may be absent from the
    report for a few frames and keep its number.
    """

    def __init__(self, seen_score: float = 0.0, keep_s: float = KEEP_S):
        """
        Start with no track.

        :param seen_score: below this score a track counts as missed in that frame.
        :param keep_s: tracks that are not reported for so long are forgotten.
        """
        self._seen_score, self._keep_ns = seen_score, round(keep_s * 1e9)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; numbers start at 1 again."""
        self._known: dict[int, _Known] = {}
        self._next = 1

    def observe(self, boxes: Boxes, stamp_ns: int) -> None:
        """Take in the reported tracks of a frame; once per frame."""
        for entry in self._known.values():
            entry.missed += 1
        for number, score in zip(boxes.track_id.tolist(), boxes.score.tolist(), strict=True):
            entry = self._known.get(number)
            if entry is None:
                entry = self._known[number] = _Known(self._next, stamp_ns, stamp_ns, 0)
                self._next += 1
            entry.seen_ns = stamp_ns
            if score >= self._seen_score:
                entry.missed = 0
        self._known = {n: e for n, e in self._known.items() if stamp_ns - e.seen_ns <= self._keep_ns}

    def translate(self, boxes: Boxes) -> Boxes:
        """Return observed boxes under their public numbers."""
        return boxes.with_(track_id=np.array([self._known[n].public for n in boxes.track_id.tolist()], np.int64))

    def translate_ids(self, ids: np.ndarray) -> np.ndarray:
        """Return the public numbers of tracks (N,), 0 for what was never reported."""
        return np.array([self._known[n].public if n in self._known else 0 for n in ids.tolist()], np.int64)

    def public(self, number: int) -> int:
        """Return the public number of an observed track."""
        return self._known[number].public

    def ages_s(self, boxes: Boxes, stamp_ns: int) -> np.ndarray:
        """Return the seconds (N,) since observed boxes appeared first."""
        return np.array([(stamp_ns - self._known[n].since_ns) / 1e9 for n in boxes.track_id.tolist()])

    def missed_frames(self, boxes: Boxes) -> np.ndarray:
        """Return for observed boxes (N,) how many frames in a row, this one included, they scored too low."""
        return np.array([self._known[n].missed for n in boxes.track_id.tolist()], np.int64)
