"""The vehicle between decoded inputs and messages: the same in the ego node and in a replay without nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cooptrack_msgs.msg import TrackArray

from ..common.types import Frame, Side
from ..cooperation.late_fusion import LateConfig, LateTracker
from ..cooperation.limits import Limits
from ..cooperation.pairing import PairingConfig, Received, UnitPairing
from ..cooperation.voxels.fill import UnitVoxels
from ..tracking.ego_agent import EgoAgent, EgoResult
from ..tracking.uncertainty import StatedTracks
from ..weights.store import ModelPackage
from ..wire.features import FeatureLimits
from ..wire.public_tracks import PublicTracks, Published
from ..wire.topics import FEATURES
from ..wire.tracks import TrackMeta, ego_meta, encode_detections
from .health.health import Health
from .inputs.foreign_receiver import ForeignReceiver, by_stamp, foreign_reader
from .inputs.occupancy_receiver import OccupancyReceiver
from .inputs.unit_receiver import UnitReceiver
from .settings import FEATURE_MODES, LATE_MODES, EgoSettings
from .voxel_pipelines import EgoVoxels, VoxelAnswer, reader_of


@dataclass(frozen=True)
class EgoAnswer:
    """What the vehicle says of a frame."""

    result: EgoResult
    meta: TrackMeta
    published: Published

    def detections(self) -> TrackArray:
        """Return all detections as a message."""
        return encode_detections(self.result.detections, self.meta)


class EgoPipeline:
    """An ``EgoAgent`` as the parameters of the ego node want it, with what checks its inputs and makes its messages."""

    def __init__(self, package: ModelPackage, settings: EgoSettings, units: Mapping[str, str], health: Health,
                 max_rate_hz: float = float('inf')):
        """
        Load the network of the mode: the cooperative one, or that of the vehicle alone.

        :param units: those to listen to and what each sends, see ``EgoSettings.units``.
        :param health: counts what is dropped; :param max_rate_hz: of messages of a unit that are looked at.
        :raises UserError: if the settings name a unit that is not among them, or the type of a unit is not installed.
        """
        mode = settings.fusion__mode
        cooperates = mode in FEATURE_MODES
        side = Side.COOPERATIVE if cooperates else Side.VEHICLE
        runs = package.with_method(**settings.method_overrides())
        method, own = runs.config.method, package.config.tracker_of(side)
        self.max_gap_s = own.reset_gap_s
        """Longer gaps start the tracker anew."""
        self.lacks_flow = method.compensation == 'flow' and runs.flow() is None
        """Whether ages of messages are compensated by geometry though features should be carried on too."""
        # Late fusion needs boxes alone, so a package without roadside weights will do.
        sender = package.sender() if cooperates and package.has(Side.ROADSIDE) else None
        pairing = PairingConfig(settings.max_infra_age_s(method.compensation),
                                settings.fusion__max_clock_skew_ms / 1e3, max_rate_hz)
        only_confirm = settings.only_confirm(units)
        pairings = [UnitPairing(name, pairing if kind == FEATURES else by_stamp(pairing),
                                sender.model_id if sender else None, name not in only_confirm)
                    for name, kind in sorted(units.items())]
        self.agent = EgoAgent(
            runs.tracker(side, settings.device, settings.execution, settings.lidar__enabled),
            LateTracker(LateConfig.of(method, self.max_gap_s, settings.fusion__late_rule))
            if mode in LATE_MODES else None,
            own.output_threshold, units=pairings, fuses_features=cooperates, limits=Limits.of(runs.config),
            stated=StatedTracks(package.uncertainty(), side, runs.config.adds(side)))
        self.lacks_uncertainty = package.lacks_uncertainty(side)
        """Why tracks carry no covariance, empty if they do."""
        self._class_names = package.config.class_names
        limits = FeatureLimits(num_classes=len(self._class_names),
                               max_instances=settings.fusion__max_instances or package.config.num_queries)
        self.receivers = {
            p.unit_id: UnitReceiver(p, sender, settings.map_frame, health, limits) if units[p.unit_id] == FEATURES
            else ForeignReceiver(p, foreign_reader(units[p.unit_id], settings, self._class_names, limits), health,
                                 max_rate_hz)
            for p in pairings}
        self._model_id = package.model_id(side)
        self._tracks = PublicTracks(own.score_threshold)
        self.voxels = self._voxels(runs, side, settings, pairing, health)
        """None where nobody wants any."""

    def _voxels(self, runs: ModelPackage, side: Side, settings: EgoSettings, pairing: PairingConfig,
                health: Health) -> EgoVoxels | None:
        reader = reader_of(runs, side, settings)
        if reader is None:
            return None
        receivers = {name: OccupancyReceiver(name, pairing, reader.profile, health, receiver.health)
                     for name, receiver in self.receivers.items() if receiver.has_pairs}
        return EgoVoxels(reader, self._tracks, receivers, Limits.of(runs.config))

    def restart(self, stamp_ns: int) -> None:
        """Let what units send follow a jump of time to a stamp."""
        self.agent.restart(stamp_ns)
        if self.voxels is not None:
            self.voxels.restart(stamp_ns)

    def step(self, frame: Frame, received: Received, lidar_frame: str, settings: EgoSettings) -> EgoAnswer:
        """Return what is said of a frame; :param settings: as they are now."""
        result = self.agent.step(frame, received, settings.fusion__online_extrinsics)
        for name, receiver in self.receivers.items():
            receiver.health.fused(sum(m.unit_id == name for m in result.matches))
            receiver.health.left_out({reason: n for (unit, reason), n in result.left_out.items() if unit == name})
        for message in received.messages:
            self.receivers[message.unit_id].health.placed(float(np.hypot(*message.ego_from_infra[:2, 3])))
        meta = ego_meta(result, received.messages, frame, lidar_frame, self._model_id, settings.map_frame,
                        self._class_names)
        self._tracks.observe(result.tracks, frame.stamp_ns, result.output.reset)
        shown = result.tracks.score >= settings.output__min_score
        stated = None if result.uncertainty is None else result.uncertainty[shown]
        published = self._tracks.compose(result.tracks[shown], result.provenance[shown], result.matches, meta, stated)
        return EgoAnswer(result, meta, published)

    def find_voxels(self, answer: EgoAnswer, frame: Frame, units: Sequence[UnitVoxels],
                    settings: EgoSettings) -> VoxelAnswer:
        """
        Return the voxels of the frame of the last step, when its answer is on the way.

        :param answer: of that step; :param units: what ``EgoVoxels.received`` gives for it.
        """
        return self.voxels.find(self.agent.state, answer.result, frame, units, answer.meta.lidar_frame, settings)

    def learn_poses(self, is_corrected: bool) -> None:
        """
        Learn of the poses of units from that frame, when its answer is on the way, and tell the diagnostics.

        :param is_corrected: whether what is learned is used.
        """
        self.agent.learn_poses()
        for name, receiver in self.receivers.items():
            receiver.health.misaligned(
                self.agent.misalignment(name), self.agent.misalignment_change(name), is_corrected,
                self.agent.misalignment_now(name))
