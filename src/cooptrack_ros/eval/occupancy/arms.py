"""
What is measured of one run of an occupancy head: its own identities, and those that baselines give the same frames.

The baselines of the paper get the volumes and features of the head that is measured: only who is who differs. That is
more than the paper gives them, whose volumes know nothing of frames before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...common.geometry import transform_boxes
from ...common.types import Boxes, Match, Side
from ...cooperation.ab3dmot import KalmanConfig, initial_state, step
from ...cooperation.limits import Limits
from ...cooperation.voxels.fill import UnitVoxels, VoxelFusion
from ...cooperation.voxels.identities import JoinedIdentities
from ...occupancy.grids import Grid, Profile
from ...occupancy.mask_boxes import boxes_of_masks, with_filled_boxes
from ...occupancy.segments import Volume
from ...occupancy.visibility import CameraGeometry, seen_in
from ...tracking.panoptic import PanopticFrame


@dataclass(frozen=True)
class FoundFrame:
    """
    What a frame of a run says.

    ``boxes`` are the live tracks of a box tracker in the lidar frame, their labels classes of the voxels; None where
    no box tracker runs. ``matches`` tell which of them are things of units, ``units`` what those found.
    """

    panoptic: PanopticFrame
    boxes: Boxes | None
    global_from_lidar: np.ndarray
    stamp_ns: int
    cameras: Sequence[CameraGeometry] = ()
    matches: Sequence[Match] = ()
    units: Sequence[UnitVoxels] = ()


class Arm(Protocol):
    """Gives the voxels of a run classes and identities; made anew for every sequence."""

    def volume(self, found: FoundFrame) -> Volume:
        """Return those of the next frame."""


class EndToEnd:
    """What the head says."""

    def __init__(self, profile: Profile, grid: Grid):
        """Take nothing."""

    def volume(self, found: FoundFrame) -> Volume:
        """Return it."""
        return found.panoptic.volume


class FilledBoxes:
    """The boxes of the box tracker filled with voxels, between what the head takes for stuff."""

    def __init__(self, profile: Profile, grid: Grid):
        """Take the grid."""
        self._grid, self._taxonomy = grid, profile.taxonomy

    def volume(self, found: FoundFrame) -> Volume:
        """Return the volume of the head with boxes in place of its things."""
        return with_filled_boxes(found.panoptic.volume, found.boxes, self._grid, self._taxonomy)


class TrackedBoxes:
    """Boxes of the masks, tracked by AB3DMOT in the world."""

    def __init__(self, profile: Profile, grid: Grid):
        """Start without tracks."""
        self._grid, self._taxonomy = grid, profile.taxonomy
        # Every mask gets an identity at once: one that is kept back would cost voxels that are right.
        self._config = KalmanConfig(min_hits=1, max_distance_m=(3.5,) + (2.0,) * (len(profile.taxonomy.things) - 1))
        self._tracks, self._last_ns = initial_state(self._config), None

    def volume(self, found: FoundFrame) -> Volume:
        """Return the volume of the head with the identities of those tracks."""
        masks = found.panoptic.volume
        boxes = boxes_of_masks(masks, self._grid, self._taxonomy)
        labels = np.searchsorted(self._taxonomy.things, boxes.label)
        world = transform_boxes(found.global_from_lidar, boxes.with_(label=labels, velocity=np.zeros((len(boxes), 2))))
        elapsed = None if self._last_ns is None else (found.stamp_ns - self._last_ns) / 1e9
        self._tracks, _ = step(self._tracks, world, self._config, elapsed)
        self._last_ns = found.stamp_ns
        got = self._tracks.detection >= 0
        names = dict(zip(boxes.track_id[self._tracks.detection[got]].tolist(), self._tracks.track_id[got].tolist()))
        return renamed(masks, names)


class MatchedQueries:
    """As in MinVIS: things are those of the last frame whose query features are most alike, by the best assignment."""

    def __init__(self, profile: Profile, grid: Grid):
        """Start without things."""
        self._feats, self._ids, self._next = None, np.zeros(0, np.int64), 1

    def volume(self, found: FoundFrame) -> Volume:
        """Return the volume of the head with the identities of those things."""
        ids = found.panoptic.ids.cpu().numpy()
        feats = found.panoptic.output.feats[0, :len(ids)].cpu().numpy()
        drawn = np.isin(ids, np.unique(found.panoptic.volume.instances))
        ids, feats = ids[drawn], feats[drawn] / np.maximum(np.linalg.norm(feats[drawn], axis=1, keepdims=True), 1e-9)
        new = np.full(len(ids), -1)
        if self._feats is not None:
            rows, columns = linear_sum_assignment(-feats @ self._feats.T)
            new[rows] = self._ids[columns]
        fresh = new < 0
        new[fresh] = self._next + np.arange(fresh.sum())
        self._feats, self._ids, self._next = feats, new, self._next + int(fresh.sum())
        return renamed(found.panoptic.volume, dict(zip(ids.tolist(), new.tolist())))


class FilledByUnits:
    """What the vehicle sees, and where it sees nothing what units found, under one identity."""

    def __init__(self, profile: Profile, grid: Grid, limits: Limits):
        """Start without things; :param limits: of what units may take."""
        self._grid, self._taxonomy, self._joined = grid, profile.taxonomy, JoinedIdentities()
        self._fusion = VoxelFusion(profile, profile.grid(Side.ROADSIDE), grid, limits.received, limits.added_per_unit)

    def volume(self, found: FoundFrame) -> Volume:
        """Return the volume of the head with what units fill in."""
        own = found.panoptic.volume
        seen = seen_in(self._grid, own.semantics != self._taxonomy.free, found.cameras)
        filled = self._fusion.fuse(own, seen, found.units, found.matches, self._joined, found.stamp_ns)
        self._joined = filled.joined
        return filled.volume


def renamed(volume: Volume, names: dict[int, int]) -> Volume:
    """Return a volume with other identities; those without a new name get none."""
    ids, inverse = np.unique(volume.instances, return_inverse=True)
    new = np.array([names.get(i, 0) for i in ids.tolist()], np.int64)
    return Volume(volume.semantics, new[inverse].reshape(volume.instances.shape))


BASELINES = {'ab3dmot': TrackedBoxes, 'minvis': MatchedQueries, 'boxes': FilledBoxes}
"""By name; ``boxes`` needs a box tracker."""


def arms_of(queries: str, limits: Limits | None) -> dict[str, Callable[[Profile, Grid], Arm]]:
    """
    Return what makes the arms of a head, by name; the first one is that of its own identities, named after its queries.

    :param limits: of what units may take, None where they send no voxels.
    """
    baselines = {name: arm for name, arm in BASELINES.items() if name != 'boxes' or queries == 'tracker'}
    together = {} if limits is None else {'cooperative': partial(FilledByUnits, limits=limits)}
    return {queries: EndToEnd} | together | baselines
