"""The ego node: tracks what its camera sees and what roadside units send."""

from __future__ import annotations

import time

import numpy as np
from nav_msgs.msg import Odometry

from cooptrack_msgs.msg import InstanceFeatureArray, PairTransform, TrackArray

from ..core.ego_agent import EgoAgent, EgoResult
from ..core.pairing import PairingConfig
from ..core.pose_history import PoseHistory
from ..core.types import Frame, RoadsideMessage, Side
from ..model.store import ModelPackage
from ..wire.errors import WireError
from ..wire.inputs import CameraModel, decode_odometry
from ..wire.tracks import TrackMeta, encode_tracks
from .infra_input import InfraInput
from .node_base import AgentNode, ImageJob, blank_frame, run_node
from .outputs import TrackOutput
from .qos import FEATURES, OUTPUT, input_qos
from .settings import EgoSettings

_PAIR_GRACE_S = 0.3


class EgoNode(AgentNode):
    """The vehicle; goes on alone whenever nothing usable was received."""

    settings_class = EgoSettings

    def __init__(self, package: ModelPackage | None = None, **options):
        """Declare parameters and create the publishers."""
        super().__init__('ego_node', package, **options)
        self._poses = PoseHistory()
        self._units: dict[str, InfraInput] = {}
        self._detections = self.create_publisher(TrackArray, '~/output/detections', OUTPUT)

    def load(self, package: ModelPackage) -> None:
        """Load the network of the mode: the cooperative one, or that of the vehicle alone."""
        settings: EgoSettings = self.settings
        self._cooperates = settings.fusion__mode in ('auto', 'cooperative', 'rule')
        side = Side.COOPERATIVE if self._cooperates else Side.VEHICLE
        runs = package.with_behaviour(association='rule') if settings.fusion__mode == 'rule' else package
        self._agent = EgoAgent(runs.tracker(side, settings.device), settings.fusion__mode in ('auto', 'late'))
        self._agent.warm_up(blank_frame(package.config))
        self._model_id = package.model_id(side)
        pairing = PairingConfig(settings.fusion__max_infra_age_ms / 1e3, settings.fusion__max_clock_skew_ms / 1e3)
        names = [] if settings.fusion__mode == 'none' else [u.strip() for u in settings.infra_units.split(',')]
        # Late fusion needs boxes alone, so a package without roadside weights will do.
        sender = package.model_id(Side.ROADSIDE) if self._cooperates and package.has(Side.ROADSIDE) else ''
        self._units = {name: InfraInput(name, sender, settings.map_frame, pairing, self.health)
                       for name in sorted(names) if name}
        own = package.config.tracker_of(side)
        self._output = TrackOutput(
            self.tracks_publisher, self.markers_publisher, own.score_threshold, own.output_threshold)

    def subscribe(self) -> list:
        """Listen to odometry and to every unit."""
        subscriptions = [self.create_subscription(
            Odometry, '~/input/odometry', self._on_odometry, input_qos(self.settings.image__qos))]
        for unit in self._units.values():
            subscriptions += [
                self.create_subscription(PairTransform, f'/infra/{unit.unit_id}/pair',
                                         self._guarded(unit, unit.on_pair), OUTPUT),
                self.create_subscription(InstanceFeatureArray, f'/infra/{unit.unit_id}/features',
                                         self._guarded(unit, unit.on_features), FEATURES)]
        return subscriptions

    def missing_inputs(self) -> list[str]:
        """Return whether poses are missing."""
        return [] if self.health.counts['odometry.received'] else ['poses on ~/input/odometry']

    def _on_odometry(self, msg: Odometry) -> None:
        self.health.count('odometry.received')
        try:
            stamp, pose = decode_odometry(msg)
        except WireError as error:
            self.refuse('odometry', error)
            return
        with self.arrived:
            self._poses.add(stamp, pose)
            self.arrived.notify_all()

    def _guarded(self, unit: InfraInput, store):
        """Return a callback that stores a message of a unit, or drops and counts it."""
        def callback(msg) -> None:
            try:
                with self.arrived:
                    # Also for what is refused: the worker may be waiting for just that.
                    self.arrived.notify_all()
                    store(msg)
            except WireError as error:
                self.refuse(unit.unit_id, error)
        return callback

    def on_time_jump(self, stamp: int) -> None:
        """Let the units' messages follow the new time; poses do so by themselves."""
        with self.arrived:
            for unit in self._units.values():
                unit.restart(stamp)

    def process(self, job: ImageJob, image: np.ndarray, calibration: CameraModel) -> None:
        """Track one picture together with what was received and publish the tracks."""
        started = time.monotonic()
        settings: EgoSettings = self.settings
        tolerance = settings.odometry__tolerance_ms / 1e3
        # In real time the pose after a picture may come shortly after it.
        pose = self.wait_for(lambda: self._poses.at(job.stamp_ns, tolerance), tolerance)
        if pose is None:
            raise WireError('missing_pose', f"no pose on {self.resolve_topic_name('~/input/odometry')} within "
                            f'{settings.odometry__tolerance_ms:g} ms of the picture')
        frame = Frame('', job.stamp_ns, (image,), calibration.img_from_lidar[None], calibration.base_from_lidar, pose)
        fused, late = self._received(job.stamp_ns, frame.global_from_lidar)
        job.mark('input', started)
        started = time.monotonic()
        result = self._agent.step(frame, fused, late, settings.fusion__zero_features)
        self._publish(result, [*fused, *late], calibration, frame)
        self.publish_latency(job, result.output.stage_seconds, started)
        self.health.count('frames.processed')
        self.health.count(f'frames.{result.mode}')

    def _received(self, stamp_ns: int, map_from_lidar: np.ndarray) -> tuple[list[RoadsideMessage], ...]:
        """Return the messages for a frame: those whose features are fused, and those whose boxes are."""
        fused, late = [], []
        for unit in self._units.values():
            if self.settings.lockstep:
                self._await(unit, stamp_ns)
            with self.arrived:
                message, is_known = unit.message_for(stamp_ns, map_from_lidar)
            if message is None:
                continue
            if self._cooperates and is_known:
                fused.append(message)
            elif self.settings.fusion__mode not in ('cooperative', 'rule'):
                late.append(message)
        return fused, late

    def _await(self, unit: InfraInput, stamp_ns: int) -> None:
        """Wait until the message that the pair of a frame names was taken or refused, or the time is up."""
        # The player sends the pair before the picture: after a short while there is none for this frame.
        if self.wait_for(lambda: unit.has_pair(stamp_ns) or None, timeout_s=_PAIR_GRACE_S) is None:
            return
        if self.wait_for(lambda: unit.is_settled(stamp_ns) or None) is None:
            self.health.drop(unit.unit_id, 'late', 'no message in time for a picture in lockstep')

    def _publish(self, result: EgoResult, messages: list[RoadsideMessage], calibration: CameraModel,
                 frame: Frame) -> None:
        output = result.output
        age = max((output.stamp_ns - m.stamp_ns) / 1e9 for m in messages) if messages else None
        meta = TrackMeta(output.stamp_ns, calibration.lidar_frame, result.mode, self._model_id,
                         self.settings.map_frame, frame.global_from_lidar, output.reset, age,
                         sum(len(m.instances) for m in messages))
        self._output.observe(result.tracks, output.stamp_ns, output.reset)
        self._output.publish(result.tracks, meta, result.matches, self.settings.markers__lifetime)
        if self._detections.get_subscription_count():
            boxes = result.detections
            none = np.zeros(len(boxes), np.int64)
            self._detections.publish(encode_tracks(boxes.with_(track_id=none), meta, none.astype(float), none, {}))


def main() -> int:
    """Run the node."""
    return run_node(EgoNode)


if __name__ == '__main__':
    raise SystemExit(main())
