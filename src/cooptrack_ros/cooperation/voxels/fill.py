"""
Voxels of units in the volume of the vehicle: it keeps what it sees itself, units fill what it does not.

What stands moves with the pose of the unit, things also along the motion of their track.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...common.types import Match, RoadsideMessage
from ...occupancy.grids import Grid, Profile
from ...occupancy.segments import Volume
from ...occupancy.sparse import Occupied
from ..compensation import bounded_age_s, fitted_velocities, moving
from ..instance_filter import is_ego_vehicle
from .carry import carried, extent_m
from .identities import Candidate, JoinedIdentities, join

LONGEST_THING_M = 30.0
"""Along any axis; what a unit says is longer is no road user."""


@dataclass(frozen=True)
class UnitVoxels:
    """
    Voxels of a unit that are used for a frame of the vehicle.

    ``message`` are its instances in the same frame, of the same session: they say where the unit stands, how its
    tracks move, and whether it may add anything. ``voxels`` are in the grid of the unit, ``stamp_ns`` is their time.
    """

    message: RoadsideMessage
    stamp_ns: int
    voxels: Occupied


@dataclass(frozen=True)
class Filled:
    """
    The volume of the vehicle with what units fill in.

    ``by_unit`` counts voxels by unit; ``left_out`` counts things by unit and reason: ``too_many``, ``no_room``,
    ``confirm_only`` or ``implausible``. ``joined`` goes into the next frame.
    """

    volume: Volume
    joined: JoinedIdentities
    by_unit: Mapping[str, int]
    left_out: Mapping[tuple[str, str], int]


class VoxelFusion:
    """Fuses the voxels of units into volumes of one profile."""

    def __init__(self, profile: Profile, source: Grid, target: Grid, max_things: int, max_added: int):
        """
        Take the grids.

        :param source: of units; :param target: of the vehicle.
        :param max_things: of one unit that are looked at; :param max_added: of one unit that the vehicle has no
            identity for.
        """
        self._taxonomy, self._source, self._target = profile.taxonomy, source, target
        self._max_things, self._max_added = max_things, max_added

    def fuse(self, own: Volume, seen: np.ndarray, units: Sequence[UnitVoxels], matches: Sequence[Match],
             joined: JoinedIdentities, stamp_ns: int) -> Filled:
        """
        Return the volume of the vehicle with what units fill in.

        :param seen: (X, Y, Z) bool, what the vehicle sees, also where it is free.
        :param matches: of tracks whose identities are those of ``own``. :param joined: of the frame before.
        """
        semantics, instances = own.semantics.reshape(-1).copy(), own.instances.reshape(-1).astype(np.int64)
        free = (semantics == self._taxonomy.free) & ~seen.reshape(-1)
        own_ids = set(np.unique(instances).tolist()) - {0}
        by_unit: Counter[str] = Counter()
        left_out: Counter[tuple[str, str]] = Counter()
        units = sorted(units, key=lambda u: u.message.unit_id)
        # Things of all units before what stands of any: they are small.
        for unit in units:
            name = unit.message.unit_id
            things, reasons = self._things(unit, stamp_ns)
            found, joined, refused = join(things, unit.message, matches, joined, Volume(semantics, instances), own_ids,
                                          self._max_added, stamp_ns)
            left_out.update({(name, reason): n for reason, n in (reasons + refused).items()})
            for thing, identity, class_ in found:
                chosen = thing.index[free[thing.index]]
                semantics[chosen], instances[chosen], free[chosen] = class_, identity, False
                by_unit[name] += len(chosen)
        for unit in units:
            if unit.message.may_create:
                index, classes = self._standing(unit)
                chosen = free[index]
                semantics[index[chosen]], free[index[chosen]] = classes[chosen], False
                by_unit[unit.message.unit_id] += int(chosen.sum())
        shape = own.semantics.shape
        return Filled(Volume(semantics.reshape(shape), instances.reshape(shape)), joined, dict(by_unit),
                      {key: n for key, n in left_out.items() if n})

    def _standing(self, unit: UnitVoxels) -> tuple[np.ndarray, np.ndarray]:
        """Return indices (V,) in the grid of the vehicle and classes (V,) of what is no thing."""
        voxels = unit.voxels[~self._taxonomy.flags(self._taxonomy.things)[unit.voxels.semantics]]
        index, codes = carried(voxels.index, voxels.semantics.astype(np.int16) + 1, self._source, self._target,
                               unit.message.ego_from_infra)
        return index, (codes - 1).astype(np.uint8)

    def _things(self, unit: UnitVoxels, stamp_ns: int) -> tuple[list[Candidate], Counter[str]]:
        """Return the things of a unit in the grid of the vehicle at its time, and how many are left out and why."""
        message, voxels = unit.message, unit.voxels[unit.voxels.instances != 0]
        age = bounded_age_s(unit.stamp_ns, stamp_ns)
        steps = dict(zip(message.instances.boxes.track_id.tolist(), moving(fitted_velocities(message)[0]) * age))
        order = np.argsort(voxels.instances, kind='stable')
        numbers, starts, counts = np.unique(voxels.instances[order], return_index=True, return_counts=True)
        things, reasons = [], Counter()
        for place in np.argsort(-counts, kind='stable').tolist():
            if len(things) == self._max_things:
                reasons['too_many'] = len(numbers) - len(things) - reasons['implausible']
                break
            rows = np.sort(order[starts[place]:starts[place] + counts[place]])
            index, number = voxels.index[rows], int(numbers[place])
            if extent_m(index, self._source).max() > LONGEST_THING_M:
                reasons['implausible'] += 1
                continue
            moved = np.eye(4)
            moved[:2, 3] = steps.get(number, (0.0, 0.0))
            index, _ = carried(index, np.ones(len(index), np.uint8), self._source, self._target,
                               message.ego_from_infra @ moved)
            if len(index) and not self._is_vehicle(index):
                things.append(Candidate(number, int(voxels.semantics[rows[0]]), index))
        return things, reasons

    def _is_vehicle(self, index: np.ndarray) -> bool:
        """Tell whether a thing is the vehicle itself, which units see, too."""
        voxels = np.stack(np.unravel_index(index, self._target.shape), -1)
        return bool(is_ego_vehicle(self._target.centres(voxels).mean(0)[None])[0])
