"""A head without network: a street whose things have the identities of given tracks."""

from __future__ import annotations

import numpy as np

from cooptrack_ros.common.types import Side
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.taxonomy import V2X

CAR, GROUND = V2X.classes.index('car'), V2X.classes.index('ground')


class FakeReader:
    """Says that there is ground, and a car where it is told to."""

    profile = 'mini'

    def __init__(self, side: Side, cars: dict[int, tuple[slice, slice]]):
        """Take the side, :param cars: and by identity which columns each car fills, two voxels high."""
        self.grid, self.cars, self.states = GRIDS[self.profile].grid(side), cars, []

    def volume(self, state) -> Volume:
        """Return the street, whatever the state is."""
        self.states.append(state)
        semantics = np.full(self.grid.shape, V2X.free, np.uint8)
        instances = np.zeros(self.grid.shape, np.int64)
        semantics[:, 70:90, 3] = GROUND
        for identity, columns in self.cars.items():
            semantics[(*columns, slice(4, 6))], instances[(*columns, slice(4, 6))] = CAR, identity
        return Volume(semantics, instances)


class TrackReader(FakeReader):
    """Says that there is a car wherever the tracker has one, and ground where its features want it."""

    def __init__(self, side: Side, events: list[tuple[str, int]]):
        """Take the side, :param events: and where every look is noted."""
        super().__init__(side, {})
        self._events = events

    def volume(self, state) -> Volume:
        """Return the street of a state of ``tracking.tracker``."""
        self._events.append(('voxels', state.stamped_pose.stamp_ns))
        x, y = (4 + 150 * state.tracks.ref_points[:, :2].numpy()).astype(int).T
        self.cars = {i: (slice(a, a + 5), slice(b, b + 3)) for i, a, b in zip(state.tracks.ids.tolist(), x, y)}
        found = super().volume(state)
        found.semantics[10 + int(1e4 * state.bev.abs().mean()) % 100, :60, 4] = GROUND
        return found
