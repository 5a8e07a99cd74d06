"""From what a tracker leaves after a frame to the voxels that its agent publishes: with and without nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray, RoadsideOccupancy

from ..common.errors import UserError
from ..common.timeline import StageTimes
from ..common.types import Frame, Side
from ..cooperation.limits import Limits
from ..cooperation.voxels.fill import UnitVoxels, VoxelFusion
from ..cooperation.voxels.identities import UNIT_FIRST_ID, JoinedIdentities
from ..occupancy.grids import GRIDS, Grid
from ..occupancy.segments import Volume
from ..occupancy.sparse import Occupied
from ..occupancy.visibility import seen_in
from ..tracking.ego_agent import EgoResult
from ..weights.store import ModelPackage
from ..wire.arrays import stamp_ns
from ..wire.occupancy import OccupancyMeta, RoadsideMeta, encode_roadside
from ..wire.public_tracks import PublicTracks
from .inputs.occupancy_receiver import OccupancyReceiver
from .settings import CommonSettings


class VoxelReader(Protocol):
    """What is needed of ``tracking.panoptic.PanopticReader``."""

    grid: Grid
    profile: str

    def volume(self, state: Any) -> Volume:
        """Return classes and identities of voxels, those of the tracker, at the time of its last frame."""


@dataclass(frozen=True)
class VoxelAnswer:
    """What an agent says of the voxels of a frame; ``link`` is what a unit sends to vehicles."""

    voxels: Occupied
    meta: OccupancyMeta
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    link: RoadsideOccupancy | None = None


def reader_of(package: ModelPackage, side: Side, settings: CommonSettings) -> VoxelReader | None:
    """
    Return the head that the card of a model lists for a side, None if none is wanted.

    :raises UserError: if there is none.
    """
    if not settings.occupancy__enabled:
        return None
    reader = package.occupancy(side, settings.device)
    if reader is None:
        raise UserError(f"parameter 'occupancy.enabled' is true, but the card of model '{package.name}' lists no "
                        f'occupancy head for its {side.value} weights')
    return reader


def try_out(reader: VoxelReader, state: Any, settings: CommonSettings) -> None:
    """
    Run a head once, before frames come.

    :param state: of the tracker after some frame.
    :raises UserError: if it cannot read what the tracker leaves.
    """
    try:
        reader.volume(state)
    except ValueError as error:
        raise UserError(f"parameter 'occupancy.enabled' does not go with execution '{settings.execution}': "
                        f'{error}') from error


class RoadsideVoxels:
    """The voxels of a roadside unit."""

    def __init__(self, reader: VoxelReader, tracks: PublicTracks):
        """Take the head; :param tracks: gives things the identities of the unit's tracks."""
        self._reader, self._tracks = reader, tracks
        self._session, self._sequence = None, 0

    def find(self, state: Any, sent: InstanceFeatureArray, settings: CommonSettings) -> VoxelAnswer:
        """
        Return the voxels of a frame.

        :param state: of the tracker after it; :param sent: the features of the frame.
        :raises WireError: if they do not fit into a message.
        """
        times, profile = StageTimes(), self._reader.profile
        volume = self._reader.volume(state)
        times.mark('head')
        taxonomy = GRIDS[profile].taxonomy
        voxels = Occupied.of(volume, taxonomy).renamed(self._tracks.public_ids)
        voxels = voxels.without_small(settings.occupancy__min_voxels)
        stamp, frame_id = stamp_ns(sent.header.stamp), sent.header.frame_id
        if sent.session != self._session:
            self._session, self._sequence = sent.session, 0
        link = encode_roadside(voxels, RoadsideMeta(sent.unit_id, sent.session, self._sequence, stamp, frame_id,
                                                    profile))
        self._sequence += 1
        times.mark('encode')
        return VoxelAnswer(voxels, OccupancyMeta(stamp, frame_id, self._reader.grid, taxonomy), times.seconds, link)


class EgoVoxels:
    """The voxels of the vehicle: its own, and where it sees nothing those of units."""

    def __init__(self, reader: VoxelReader, tracks: PublicTracks, receivers: Mapping[str, OccupancyReceiver],
                 limits: Limits):
        """
        Take the head.

        :param tracks: gives things the identities of the published tracks.
        :param receivers: of units, by name; :param limits: of what units may take.
        """
        self.reader, self._tracks, self.receivers = reader, tracks, receivers
        profile = GRIDS[reader.profile]
        self._taxonomy, self._joined = profile.taxonomy, JoinedIdentities()
        self._fusion = VoxelFusion(profile, profile.grid(Side.ROADSIDE), reader.grid, limits.received,
                                   limits.added_per_unit) if receivers else None

    def restart(self, stamp: int) -> None:
        """Let the voxels of units follow a jump of time to a stamp."""
        for receiver in self.receivers.values():
            receiver.restart(stamp)

    def received(self, result: EgoResult, stamp: int) -> list[UnitVoxels]:
        """Return the voxels of units for a frame."""
        found = (self.receivers[m.unit_id].used_with(m, stamp) for m in result.messages if m.unit_id in self.receivers)
        return [unit for unit in found if unit is not None]

    def find(self, state: Any, result: EgoResult, frame: Frame, units: list[UnitVoxels], lidar_frame: str,
             settings: CommonSettings) -> VoxelAnswer:
        """
        Return the voxels of a frame.

        :param state: of the tracker after it; :param result: what was said of it. :param units: see ``received``.
        """
        times = StageTimes()
        if result.output.reset:
            self._joined = JoinedIdentities()
        volume = self.reader.volume(state)
        times.mark('head')
        if units:
            volume = self._filled(volume, result, frame, units)
            times.mark('cooperation')
        voxels = Occupied.of(volume, self._taxonomy).renamed(self._public)
        voxels = voxels.without_small(settings.occupancy__min_voxels)
        meta = OccupancyMeta(frame.stamp_ns, lidar_frame, self.reader.grid, self._taxonomy)
        return VoxelAnswer(voxels, meta, times.seconds)

    def _filled(self, volume: Volume, result: EgoResult, frame: Frame, units: list[UnitVoxels]) -> Volume:
        """Return the volume with what units fill in, and tell their health."""
        sizes = [(image.shape[1], image.shape[0]) for image in frame.images]
        seen = seen_in(self.reader.grid, volume.semantics != self._taxonomy.free,
                       list(zip(frame.img_from_lidar, sizes, strict=True)))
        filled = self._fusion.fuse(volume, seen, units, result.matches, self._joined, frame.stamp_ns)
        self._joined = filled.joined
        left_out: dict[str, dict[str, int]] = defaultdict(dict)
        for (unit, reason), count in filled.left_out.items():
            left_out[unit][reason] = count
        for unit in units:
            name = unit.message.unit_id
            self.receivers[name].health.used(filled.by_unit.get(name, 0), left_out[name])
        return filled.volume

    def _public(self, ids: np.ndarray) -> np.ndarray:
        """Return the identities that are published; those of units alone are no tracks."""
        public = self._tracks.public_ids(ids)
        return public + (ids >= UNIT_FIRST_ID) * ids
