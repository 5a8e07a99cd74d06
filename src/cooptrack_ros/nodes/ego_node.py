"""The ego node: tracks what its camera sees and what roadside units send."""

from __future__ import annotations

import time

import numpy as np
from rclpy.qos import QoSProfile

from cooptrack_msgs.msg import InstanceFeatureArray, PairTransform, TrackArray

from ..core.ego_agent import EgoAgent
from ..core.pairing import PairingConfig
from ..core.types import RoadsideMessage, Side
from ..model.store import ModelPackage
from ..wire.errors import WireError
from ..wire.tracks import ego_meta, encode_detections
from ..wire.views import Views
from .infra_input import FEATURE_MODES, InfraInput, gather
from .node_base import AgentNode, ImageJob, blank_frame, run_nodes
from .outputs import TrackOutput
from .pausing_subscription import PausingSubscription
from .pose_input import PoseInput, TfPoses, TopicPoses
from .qos import OUTPUT, features_qos
from .settings import EgoSettings
from .silence_watch import WatchedInput

_PAIR_GRACE_S = 0.3
FLOOD_PAUSE_S = 2.0
"""A unit that sends more than it may is not listened to for so long: receiving costs time even if nothing is read."""


class EgoNode(AgentNode):
    """The vehicle; goes on alone whenever nothing usable was received."""

    settings_class = EgoSettings

    def __init__(self, package: ModelPackage | None = None, **options):
        """Declare parameters and create the publishers."""
        super().__init__('ego_node', package, **options)
        self._units: dict[str, InfraInput] = {}
        self._features: dict[str, PausingSubscription] = {}
        self._detections = self.create_publisher(TrackArray, '~/output/detections', OUTPUT)

    def load(self, package: ModelPackage) -> None:
        """Load the network of the mode: the cooperative one, or that of the vehicle alone."""
        settings: EgoSettings = self.settings
        self._cooperates = settings.fusion__mode in FEATURE_MODES
        side = Side.COOPERATIVE if self._cooperates else Side.VEHICLE
        runs = package.with_behaviour(**settings.behaviour())
        compensation = runs.config.behaviour.compensation
        if compensation == 'flow' and runs.flow() is None:
            self.get_logger().warning(f"model '{package.name}' has no flow for its roadside weights: ages of messages "
                                      'are compensated by geometry')
        self._agent = EgoAgent(
            runs.tracker(side, settings.device, settings.execution), settings.fusion__mode in ('auto', 'late'),
            runs.config.behaviour.roadside_lifetime_s)
        self._agent.warm_up(blank_frame(package.config, len(self.cameras)))
        self._model_id = package.model_id(side)
        pairing = PairingConfig(settings.max_infra_age_s(compensation), settings.fusion__max_clock_skew_ms / 1e3)
        names = [] if settings.fusion__mode == 'none' else [u.strip() for u in settings.infra_units.split(',')]
        # Late fusion needs boxes alone, so a package without roadside weights will do.
        sender = package.sender() if self._cooperates and package.has(Side.ROADSIDE) else None
        # A replay in lockstep is as fast as it can be.
        rate_hz = float('inf') if settings.lockstep else settings.fusion__max_unit_rate
        only_confirm = settings.only_confirm(names)
        self._units = {name: InfraInput(name, sender, settings.map_frame, pairing, self.health, rate_hz,
                                        name not in only_confirm) for name in sorted(names) if name}
        own = package.config.tracker_of(side)
        self._output = TrackOutput(
            self.tracks_publisher, self.markers_publisher, own.score_threshold, own.output_threshold)

    def subscribe(self) -> list:
        """Listen to poses and to every unit."""
        source = self.settings.pose__source
        self._poses: PoseInput = TfPoses(self, self.tf) if source == 'tf' else TopicPoses(self, source)
        subscriptions = self._poses.subscribe()
        for unit in self._units.values():
            subscriptions.append(self.create_subscription(
                PairTransform, f'/infra/{unit.unit_id}/pair', self._guarded(unit, unit.on_pair), OUTPUT))
            self._features[unit.unit_id] = PausingSubscription(
                self, InstanceFeatureArray, f'/infra/{unit.unit_id}/features', self._guarded(unit, unit.on_features),
                self._features_qos)
        return subscriptions

    def stop(self) -> None:
        """End the worker and the subscriptions."""
        for subscription in self._features.values():
            subscription.close()
        self._features.clear()
        super().stop()

    def missing_inputs(self) -> list[str]:
        """Return whether poses are missing."""
        return self._poses.waiting()

    def watched_inputs(self) -> list[WatchedInput]:
        """Return the inputs of both nodes, the poses and the units."""
        units = [WatchedInput(name, f"messages of unit '{name}'", f'/infra/{name}/features', InstanceFeatureArray,
                              self._features_qos, lambda name=name: self.health.events(name), 'features.reliability')
                 for name in self._units]
        return [*super().watched_inputs(), *units, *self._poses.watched()]

    @property
    def _features_qos(self) -> QoSProfile:
        return features_qos(self.settings.features__reliability, self.settings.features__depth)

    @property
    def stated_base_frame(self) -> str:
        """Return the vehicle's frame, empty for the one that Calibration names."""
        return self.settings.base_frame

    @property
    def base_frame(self) -> str:
        """Return the vehicle's frame as far as it is known."""
        return self.settings.base_frame or self.cameras.base_frame

    def needs_tf(self) -> bool:
        """Tell whether anything is looked up on /tf."""
        return super().needs_tf() or self.settings.pose__source == 'tf'

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
                if error.reason == 'too_many':
                    self._features[unit.unit_id].pause(FLOOD_PAUSE_S)
        return callback

    def on_time_jump(self, stamp: int) -> None:
        """Let the units' messages follow the new time; poses do so by themselves."""
        with self.arrived:
            for unit in self._units.values():
                unit.restart(stamp)

    def process(self, job: ImageJob, views: Views) -> TrackArray:
        """Track one frame together with what was received and publish the tracks."""
        started = time.monotonic()
        settings: EgoSettings = self.settings
        tolerance = settings.odometry__tolerance_ms / 1e3
        # In real time the pose after a picture may come shortly after it.
        pose = self.wait_for(lambda: self._poses.at(job.stamp_ns), tolerance)
        if pose is None:
            raise self._poses.missing()
        frame = views.ego_frame(job.stamp_ns, pose)
        fused, late = self._received(job.stamp_ns, frame.global_from_lidar)
        job.mark('input', started)
        started = time.monotonic()
        result = self._agent.step(frame, fused, late, settings.fusion__correct_pose)
        for name, unit in self._units.items():
            unit.health.fused(sum(m.unit_id == name for m in result.matches))
        output, messages = result.output, [*fused, *late]
        meta = ego_meta(result, messages, frame, views.lidar_frame, self._model_id, settings.map_frame)
        self._output.observe(result.tracks, output.stamp_ns, output.reset)
        published = self._output.publish(
            result.tracks[result.tracks.score >= settings.output__min_score], meta, result.matches)
        self.publish_latency(job, output.stage_seconds, started)
        self._output.show(published, meta, settings, messages)
        if self._detections.get_subscription_count():
            self._detections.publish(encode_detections(result.detections, meta))
        self.health.count('frames.processed')
        self.health.count(f'frames.{result.mode}')
        self._agent.check_poses(messages, settings.fusion__correct_pose)
        for name, unit in self._units.items():
            unit.health.misaligned(self._agent.misalignment(name))
        return published.message

    def _received(self, stamp_ns: int, map_from_lidar: np.ndarray) -> tuple[list[RoadsideMessage], ...]:
        """Return the messages for a frame: those whose features are fused, and those whose boxes are."""
        if self.settings.lockstep:
            for unit in self._units.values():
                self._await(unit, stamp_ns)
        with self.arrived:
            return gather(self._units.values(), stamp_ns, map_from_lidar, self.settings.fusion__mode)

    def _await(self, unit: InfraInput, stamp_ns: int) -> None:
        """Wait until the message that the pair of a frame names was taken or refused, or the time is up."""
        # The player sends the pair before the picture: after a short while there is none for this frame.
        if self.wait_for(lambda: unit.has_pair(stamp_ns) or None, timeout_s=_PAIR_GRACE_S) is None:
            return
        if self.wait_for(lambda: unit.is_settled(stamp_ns) or None) is None:
            self.health.drop(unit.unit_id, 'late', 'no message in time for a picture in lockstep')


def main() -> int:
    """Run the node."""
    return run_nodes(EgoNode)


if __name__ == '__main__':
    raise SystemExit(main())
