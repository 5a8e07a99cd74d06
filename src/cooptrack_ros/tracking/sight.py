"""
What the tracks of a vehicle stand on: what it sees by itself, and what messages say.

The query of a track that a message had a part in carries on what the message said, so its score tells nothing about
what the vehicle sees. The vehicle therefore decodes its BEV features now and then as if it knew of no track, and such
tracks are seen where that look finds an object too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..common.types import EgoOnlyDetections
from ..cooperation.limits import Limits, best
from ..cooperation.matching import match_by_distance

LOOK_INTERVAL_S, _TOLERANCE_S = 0.2, 0.05
"""Time between two looks, and how much less it may be: a look costs a pass through the decoder."""
MEMORY_S = 0.5
"""A track that was seen so long ago still counts as seen, because detections of single frames come and go."""
MAX_DISTANCE_M = 3.5
"""Between a track and what a look finds; each of these is one track's only."""


@dataclass(frozen=True)
class TrackEvidence:
    """
    What a track stands on: when the vehicle itself saw it last, and the last message that spoke of it.

    Nanoseconds; None: never. ``own_score`` is what the vehicle gave it at last, ``unit_id`` sent that message, of which
    ``may_create`` says whether it may speak of more than is reported without it.
    """

    seen_ns: int | None = None
    received_ns: int | None = None
    own_score: float = 0.0
    unit_id: str = ''
    may_create: bool = True

    def is_seen(self, now_ns: int) -> bool:
        """Tell whether the vehicle sees the track by itself."""
        return self.seen_ns is not None and now_ns - self.seen_ns <= MEMORY_S * 1e9

    def is_owed(self, now_ns: int) -> bool:
        """Tell whether the track is there because of messages alone."""
        return self.received_ns is not None and not self.is_seen(now_ns)

    def is_outlived(self, now_ns: int, lifetime_s: float) -> bool:
        """Tell whether a track that owes its life to messages got neither message nor sight for so long."""
        if self.received_ns is None:
            return False
        last_ns = self.received_ns if self.seen_ns is None else max(self.received_ns, self.seen_ns)
        return now_ns - last_ns > lifetime_s * 1e9


@dataclass(frozen=True)
class LiveTracks:
    """N live tracks of a frame: identities, points (N, 2) m, scores, and what the decoder gave their queries."""

    ids: Sequence[int]
    points: np.ndarray
    scores: np.ndarray
    decoder_scores: Sequence[float]
    spoken: Mapping[int, tuple[str, int, bool]]
    """Unit, stamp and ``may_create`` of the message that spoke of a track in this frame, by identity."""


@dataclass(frozen=True)
class Sight:
    """The evidence of all live tracks after a frame; a value."""

    evidence: Mapping[int, TrackEvidence] = field(default_factory=dict)
    looked_ns: int | None = None
    view: EgoOnlyDetections | None = None
    """What the look of this frame found, None without one."""
    left_out: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Tracks of this frame by unit and reason that had to end for want of room."""

    def after(self, tracks: LiveTracks, now_ns: int, look: Callable[[], EgoOnlyDetections], threshold: float) -> Sight:
        """
        Return it after a frame.

        :param look: makes the vehicle decode the BEV features of the frame; :param threshold: of a score that counts.
        """
        known = [self.evidence.get(track, TrackEvidence()) for track in tracks.ids]
        elapsed_ns = LOOK_INTERVAL_S * 1e9 if self.looked_ns is None else now_ns - self.looked_ns
        looked_ns, view, found = self.looked_ns, None, None
        if elapsed_ns >= (LOOK_INTERVAL_S - _TOLERANCE_S) * 1e9 and any(e.received_ns is not None for e in known):
            looked_ns, view = now_ns, look()
            found = _found(tracks.points, view, threshold)
        evidence = {}
        for place, (track, old) in enumerate(zip(tracks.ids, known, strict=True)):
            # Until a message has had a part in it, the query is the vehicle's own, and so is its life.
            is_own = old.received_ns is None
            score = tracks.decoder_scores[place] if is_own else None if found is None else found[place]
            is_seen = (is_own and track not in tracks.spoken) or (score is not None and score >= threshold)
            seen_ns = now_ns if is_seen else old.seen_ns
            unit, received_ns, may_create = tracks.spoken.get(track, (old.unit_id, old.received_ns, old.may_create))
            evidence[track] = TrackEvidence(
                seen_ns, received_ns, old.own_score if score is None else score, unit, may_create)
        return Sight(evidence, looked_ns, view)

    def within(self, limits: Limits, tracks: LiveTracks, now_ns: int, lifetime_s: float) -> Sight:
        """Return it without tracks that have outlived what they stand on, or that units have no room for."""
        evidence = {t: e for t, e in self.evidence.items() if not e.is_outlived(now_ns, lifetime_s)}
        owed: dict[str, list[int]] = {}
        for place, track in enumerate(tracks.ids):
            if track in evidence and evidence[track].is_owed(now_ns):
                owed.setdefault(evidence[track].unit_id, []).append(place)
        units = sorted(owed)
        own = len(evidence) - sum(map(len, owed.values()))
        left_out: Counter[tuple[str, str]] = Counter()
        for unit, room in zip(units, limits.rooms([len(owed[u]) for u in units], own), strict=True):
            places = np.array(owed[unit])
            for place in places[~best(tracks.scores[places], room)].tolist():
                del evidence[tracks.ids[place]]
                left_out[unit, 'no_room'] += 1
        return Sight(evidence, self.looked_ns, self.view, left_out)

    def unseen(self, now_ns: int) -> frozenset[int]:
        """Return the tracks that are there because of messages alone; such as may only confirm bring none."""
        return frozenset(track for track, e in self.evidence.items() if e.is_owed(now_ns) and e.may_create)

    def own_score(self, track: int, now_ns: int) -> float:
        """Return what the vehicle gave a track when it saw it last, 0 if it does not."""
        found = self.evidence[track]
        return found.own_score if found.seen_ns is None or found.is_seen(now_ns) else 0.0


def _found(points: np.ndarray, view: EgoOnlyDetections, threshold: float) -> np.ndarray:
    """Return the score (N,) of what a look found at each track, 0 for nothing."""
    sure, scores = view.scores >= threshold, np.zeros(len(points))
    rows, columns = match_by_distance(
        torch.from_numpy(points), torch.from_numpy(view.points[sure, :2]), MAX_DISTANCE_M)
    scores[rows] = view.scores[sure][columns]
    return scores
