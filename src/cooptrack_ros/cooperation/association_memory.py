"""Which object of a unit was which track of the vehicle: what was so lately is preferred, and may be farther apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..common.types import Match, RoadsideMessage

STALE_S, DROPPED_S = 5.0, 30.0
"""A pair that was not confirmed for so long counts less and less, and after the other time is forgotten."""
AFFINITY_BONUS, DISTANCE_BONUS_M = 0.3, 2.0
"""What a pair that is remembered gains over others in the assignment, by affinity (0..1) or by distance."""
LONGEST_M = 18.0
"""No vehicle that a unit can speak of is longer; what says so reaches no farther."""
_NO_TRACK = -1
_MOST = 2000
"""Pairs of a unit, whatever identities it makes up."""


class Remembered(NamedTuple):
    """What is known of M instances of a message."""

    track_id: np.ndarray
    """(M,) int64, the track of the vehicle that each was, -1 for none."""
    weight: np.ndarray
    """(M,) how much that counts, 0..1."""
    length_m: np.ndarray
    """(M,) of their boxes, for what is seen from both ends."""

    def __getitem__(self, index) -> Remembered:
        """Return what is known of some of them."""
        return Remembered(*(column[index] for column in self))

    def weights(self, ego_ids: np.ndarray) -> np.ndarray:
        """Return how much each pair (N, M) with tracks of the vehicle counts, 0 for one that was none."""
        same = (ego_ids[:, None] == self.track_id) & (self.track_id != _NO_TRACK)
        return np.where(same, self.weight, 0.0)

    def gates_m(self, ego_ids: np.ndarray, gate_m: float) -> np.ndarray:
        """
        Return how far apart the points of each pair (N, M) may be.

        Two who see the two ends of a long vehicle place it up to half its length apart; and for a known pair that
        comes on top of the gate.
        """
        half = np.minimum(self.length_m, LONGEST_M) / 2
        return np.where(self.weights(ego_ids) > 0, gate_m + half, np.maximum(gate_m, half))


@dataclass(frozen=True)
class AssociationMemory:
    """
    The pairs of all units; a value.

    Identities of a unit hold within its session: with another session nothing of that unit is known. Identities of the
    vehicle hold until its tracker starts anew, and so does the memory.
    """

    sessions: Mapping[str, int] = field(default_factory=dict)
    pairs: Mapping[str, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    """By unit and identity there: the track of the vehicle, and the time of the last frame in which it was the same."""

    def recall(self, message: RoadsideMessage, now_ns: int) -> Remembered:
        """Return what is known of all instances of a message."""
        same = self.sessions.get(message.unit_id) == message.session
        pairs = self.pairs.get(message.unit_id, {}) if same else {}
        boxes = message.instances.boxes
        known = [pairs.get(i, (_NO_TRACK, now_ns)) for i in boxes.track_id.tolist()]
        track_id, since_ns = np.array(known, np.int64).reshape(-1, 2).T
        age_s = (now_ns - since_ns) / 1e9
        weight = np.clip((DROPPED_S - age_s) / (DROPPED_S - STALE_S), 0.0, 1.0)
        return Remembered(track_id, weight, boxes.size[:, 0])

    def recall_all(self, messages: Sequence[RoadsideMessage], now_ns: int) -> Remembered:
        """Return what is known of all instances of several messages, one after another."""
        none = Remembered(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        columns = zip(none, *(self.recall(m, now_ns) for m in messages), strict=True)
        return Remembered(*(np.concatenate(c) for c in columns))

    def after(self, matches: Iterable[Match], messages: Sequence[RoadsideMessage], now_ns: int) -> AssociationMemory:
        """Return it after a frame; :param messages: those that were used; :param matches: what became of them."""
        pairs, sessions = {}, {**self.sessions, **{m.unit_id: m.session for m in messages}}
        oldest_ns = now_ns - round(DROPPED_S * 1e9)
        for unit, known in self.pairs.items():
            if self.sessions[unit] == sessions[unit]:
                pairs[unit] = {i: pair for i, pair in known.items() if pair[1] > oldest_ns}
        for match in matches:
            if match.infra_track_id >= 0:
                of_unit = pairs.setdefault(match.unit_id, {})
                # The last ones are those that were confirmed last.
                of_unit.pop(match.infra_track_id, None)
                of_unit[match.infra_track_id] = match.track_id, now_ns
        return replace(self, sessions=sessions, pairs={
            u: dict(islice(p.items(), max(len(p) - _MOST, 0), None)) for u, p in pairs.items()})
