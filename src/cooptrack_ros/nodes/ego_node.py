"""The ego node: tracks what its camera sees and what roadside units send."""

from __future__ import annotations

import threading
import time

import numpy as np
from nav_msgs.msg import Odometry

from cooptrack_msgs.msg import InstanceFeatureArray, PairTransform, TrackArray

from ..core.geometry import transform_boxes
from ..core.late import LateTracker, fuse_boxes, without_host
from ..core.pairing import PairingConfig
from ..core.pose_history import PoseHistory
from ..core.types import Boxes, Frame, FrameOutput, RoadsideMessage, Side
from ..model.store import ModelPackage
from ..wire.errors import WireError
from ..wire.inputs import CameraModel, decode_odometry
from ..wire.tracks import TrackMeta, encode_tracks
from .infra_input import InfraInput
from .node_base import AgentNode, ImageJob, run_node
from .outputs import TrackOutput
from .qos import FEATURES, OUTPUT, input_qos
from .settings import EgoSettings


class EgoNode(AgentNode):
    """The vehicle; goes on alone whenever nothing usable was received."""

    settings_class = EgoSettings

    def __init__(self, package: ModelPackage | None = None, **options):
        """Declare parameters and create the publishers."""
        super().__init__('ego_node', package, **options)
        self._lock = threading.Lock()
        self._poses = PoseHistory()
        self._units: dict[str, InfraInput] = {}
        self._detections = self.create_publisher(TrackArray, '~/output/detections', OUTPUT)

    def load(self, package: ModelPackage) -> None:
        """Load the network of the mode: the cooperative one, or that of the vehicle alone."""
        settings: EgoSettings = self.settings
        self._cooperates = settings.fusion__mode in ('auto', 'cooperative')
        side = Side.COOPERATIVE if self._cooperates else Side.VEHICLE
        self._tracker = package.tracker(side, settings.device)
        self._state = self._tracker.initial()
        self._late = LateTracker()
        self._late_state = self._late.initial()
        self._model_id = package.model_id(side)
        pairing = PairingConfig(settings.fusion__max_infra_age_ms / 1e3, settings.fusion__max_clock_skew_ms / 1e3)
        names = [] if settings.fusion__mode == 'none' else [u.strip() for u in settings.infra_units.split(',')]
        sender = package.model_id(Side.ROADSIDE) if names else ''
        self._units = {name: InfraInput(name, sender, pairing, self.health) for name in sorted(names) if name}
        limit = package.config.tracker_cooperative.output_threshold
        self._output = TrackOutput(self.tracks_publisher, self.markers_publisher, limit)

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
        with self._lock:
            self._poses.add(stamp, pose)

    def _guarded(self, unit: InfraInput, store):
        """Return a callback that stores a message of a unit, or drops and counts it."""
        def callback(msg) -> None:
            try:
                with self._lock:
                    store(msg)
            except WireError as error:
                self.refuse(unit.unit_id, error)
        return callback

    def _locked(self, get):
        with self._lock:
            return get()

    def process(self, job: ImageJob, image: np.ndarray, calibration: CameraModel) -> None:
        """Track one picture together with what was received and publish the tracks."""
        started = time.monotonic()
        settings: EgoSettings = self.settings
        tolerance = settings.odometry__tolerance_ms / 1e3
        pose = self._wait_for(lambda: self._locked(lambda: self._poses.at(job.stamp_ns, tolerance)))
        if pose is None:
            raise WireError('missing_pose', 'no pose on ~/input/odometry at the time of the picture')
        frame = Frame('', job.stamp_ns, (image,), calibration.img_from_lidar[None], calibration.base_from_lidar, pose)
        messages, usable = self._received(job.stamp_ns, frame.global_from_lidar)
        job.mark('input', started)
        started = time.monotonic()
        self._state, output = self._tracker.step(
            self._state, frame, messages if self._cooperates and usable else (), settings.fusion__zero_features)
        if output.reset:
            self._late_state = self._late.initial()
        mode = 'none' if not messages else 'cooperative' if self._cooperates and usable else 'late'
        tracks = self._tracks(output, messages if mode == 'late' else [], frame)
        self._publish(tracks, output, mode, messages, calibration, frame)
        self.publish_latency(job, output.stage_seconds, started)
        self.health.count('frames.processed')
        self.health.count(f'frames.{mode}')

    def _received(self, stamp_ns: int, map_from_lidar: np.ndarray) -> tuple[list[RoadsideMessage], bool]:
        """Return the messages for a frame and whether the features of all can be fused."""
        messages, usable = [], True
        for unit in self._units.values():
            if self.settings.lockstep:
                self._await(unit, stamp_ns)
            with self._lock:
                message, known = unit.message_for(stamp_ns, map_from_lidar)
            if message is not None:
                messages.append(message)
                usable = usable and known
        return messages, usable

    def _await(self, unit: InfraInput, stamp_ns: int) -> None:
        """Wait until the pair of a frame and the message that it names are there, or the time is up."""
        if self._wait_for(lambda: self._locked(lambda: unit.has_pair(stamp_ns)) or None) is None or \
                self._wait_for(lambda: self._locked(lambda: unit.paired(stamp_ns))) is None:
            self.health.drop(unit.unit_id, 'late', 'no message in time for a picture in lockstep')

    def _tracks(self, output: FrameOutput, messages: list[RoadsideMessage], frame: Frame) -> Boxes:
        """Return the live tracks, in late fusion with those of the roadside units."""
        live = output.tracks[output.live]
        if self.settings.fusion__mode != 'late' and not messages:
            return live
        self._late_state, tracks = self._late.step(
            self._late_state, live, _received_boxes(messages), frame.global_from_lidar, output.stamp_ns)
        return tracks

    def _publish(self, tracks: Boxes, output: FrameOutput, mode: str, messages: list[RoadsideMessage],
                 calibration: CameraModel, frame: Frame) -> None:
        age = max((output.stamp_ns - m.stamp_ns) / 1e9 for m in messages) if messages else None
        meta = TrackMeta(output.stamp_ns, calibration.lidar_frame, mode, self._model_id, self.settings.map_frame,
                         frame.global_from_lidar, output.reset, age, sum(len(m.instances) for m in messages))
        self._output.publish(tracks, meta, output.matches, self.settings.markers__lifetime)
        if self._detections.get_subscription_count():
            boxes = output.detections
            if mode == 'late':
                infra = without_host(_received_boxes(messages), self._late.config)
                boxes, _, _ = fuse_boxes(boxes, infra, self._late.config)
            none = np.zeros(len(boxes), np.int64)
            self._detections.publish(encode_tracks(boxes.with_(track_id=none), meta, none.astype(float), none, {}))


def _received_boxes(messages: list[RoadsideMessage]) -> Boxes:
    """Return the boxes of all units in the ego lidar frame."""
    return Boxes.concatenate([transform_boxes(m.ego_from_infra, m.instances.boxes) for m in messages])


def main() -> int:
    """Run the node."""
    return run_node(EgoNode)


if __name__ == '__main__':
    raise SystemExit(main())
