"""Whether a thing of a unit is one of the vehicle: by its fused track, by what it was lately, else by its voxels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...common.types import Match, RoadsideMessage
from ...occupancy.segments import Volume
from ..association_memory import STALE_S

UNIT_FIRST_ID = 1 << 32
"""Identities of things that only units know start here: no track of the vehicle has so high a number."""
_MIN_SHARE = 0.3
"""Of the smaller of two things of one class: so much of it must be common to both to take them for one."""


@dataclass(frozen=True)
class Candidate:
    """A thing of a unit: its identity there, its class, its voxels (V,) in the grid of the vehicle, ascending."""

    number: int
    class_: int
    index: np.ndarray


@dataclass(frozen=True)
class JoinedIdentities:
    """
    What things of units were lately; a value.

    ``pairs`` gives by unit, session and identity there the identity here and when it was seen last.
    """

    pairs: Mapping[tuple[str, int, int], tuple[int, int]] = field(default_factory=dict)
    next_id: int = UNIT_FIRST_ID

    def current(self, now_ns: int) -> dict[tuple[str, int, int], tuple[int, int]]:
        """Return the pairs that are not too old at a time."""
        return {key: pair for key, pair in self.pairs.items() if abs(now_ns - pair[1]) <= STALE_S * 1e9}


def join(things: Sequence[Candidate], message: RoadsideMessage, matches: Sequence[Match], joined: JoinedIdentities,
         volume: Volume, own_ids: set[int], max_added: int,
         now_ns: int) -> tuple[list[tuple[Candidate, int, int]], JoinedIdentities, Counter[str]]:
    """
    Return the things of a unit that may be filled in, with identity and class; and how many may not, by reason.

    An identity has one thing of a unit and one class. A unit that may only confirm speaks of ``own_ids`` alone.

    :param volume: flat, with what was filled in so far.
    """
    pairs, next_id = joined.current(now_ns), joined.next_id
    found: dict[int, int] = {}
    fused = {m.infra_track_id: m.track_id for m in matches if m.unit_id == message.unit_id}
    lately = {t.number: pairs[key][0] for t in things if (key := (message.unit_id, message.session, t.number)) in pairs}
    for said in (fused, lately):
        taken = set(found.values())
        for thing in things:
            identity = said.get(thing.number)
            if thing.number not in found and identity is not None and identity not in taken:
                found[thing.number] = identity
                taken.add(identity)
    known, refused = _things_in(volume), Counter()
    result, taken, added = [], set(found.values()), 0
    for thing in things:
        identity = found.get(thing.number)
        if identity is None:
            identity = _by_overlap(thing, volume, known, taken)
        if not message.may_create and identity not in own_ids:
            refused['confirm_only'] += 1
            continue
        if identity is None:
            if added == max_added:
                refused['no_room'] += 1
                continue
            identity, next_id, added = next_id, next_id + 1, added + 1
        taken.add(identity)
        pairs[message.unit_id, message.session, thing.number] = identity, now_ns
        result.append((thing, identity, known.get(identity, (thing.class_, 0))[0]))
    return result, JoinedIdentities(pairs, next_id), refused


def _things_in(volume: Volume) -> dict[int, tuple[int, int]]:
    """Return class and number of voxels by identity."""
    voxels = np.flatnonzero(volume.instances)
    ids, first, counts = np.unique(volume.instances[voxels], return_index=True, return_counts=True)
    classes = volume.semantics[voxels[first]]
    return dict(zip(ids.tolist(), zip(classes.tolist(), counts.tolist())))


def _by_overlap(thing: Candidate, volume: Volume, known: Mapping[int, tuple[int, int]], taken: set[int]) -> int | None:
    """Return the identity of the same class that shares most voxels with a thing, if it shares enough of them."""
    same = volume.instances[thing.index[volume.semantics[thing.index] == thing.class_]]
    ids, counts = np.unique(same[same != 0], return_counts=True)
    for place in np.argsort(-counts, kind='stable').tolist():
        identity = int(ids[place])
        if identity not in taken and counts[place] >= _MIN_SHARE * min(len(thing.index), known[identity][1]):
            return identity
    return None
