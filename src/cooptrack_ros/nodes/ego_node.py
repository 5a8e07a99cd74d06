"""The ego node: tracks what its camera sees and what roadside units send."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from cooptrack_msgs.msg import TrackArray

from ..common.types import Frame, Side
from ..cooperation.pairing import Received
from ..tracking.warm_up import blank_frame
from ..weights.store import ModelPackage
from ..wire.views import Views
from .auto.arguments import with_found_inputs
from .context import FrameJob
from .ego_pipeline import EgoAnswer, EgoPipeline
from .health.silence_watch import WatchedInput
from .inputs.infra_input import InfraInput
from .inputs.occupancy_input import OccupancyInput
from .inputs.pose_input import PoseInput, pose_input
from .node_base import AgentNode, run_program
from .outputs.track_output import TrackOutput
from .qos import OUTPUT
from .settings import EgoSettings
from .voxel_pipelines import VoxelAnswer, try_out


class EgoNode(AgentNode):
    """The vehicle; falls back to single-agent tracking whenever nothing usable was received."""

    settings_class, side = EgoSettings, Side.VEHICLE

    def __init__(self, package: ModelPackage | None = None, **options):
        """Declare parameters and create the publishers."""
        super().__init__('ego_node', package, **options)
        self._units: list[InfraInput] = []
        self._unit_voxels: list[OccupancyInput] = []
        self._last: tuple[EgoAnswer, Frame] | None = None
        self._detections = self.create_publisher(TrackArray, '~/output/detections', OUTPUT)

    def load(self, package: ModelPackage) -> float:
        """Load the network of the mode."""
        settings: EgoSettings = self.settings
        # A replay in lockstep is as fast as it can be.
        rate_hz = float('inf') if settings.lockstep else settings.fusion__max_unit_rate
        self._pipeline = EgoPipeline(package, settings, settings.units(), self.health, rate_hz)
        if self._pipeline.lacks_flow:
            self.get_logger().warning(f"model '{package.name}' has no flow for its roadside weights: ages of messages "
                                      'are compensated by geometry')
        if self._pipeline.lacks_uncertainty:
            self.get_logger().info(self._pipeline.lacks_uncertainty)
        state = self._pipeline.agent.warm_up(blank_frame(package.config, len(self.cameras), settings.lidar__enabled))
        voxels = self._pipeline.voxels
        if voxels is not None:
            try_out(voxels.reader, state, settings)
            self._unit_voxels = [OccupancyInput(self.node_context, receiver, self._pipeline.agent.units[name])
                                 for name, receiver in voxels.receivers.items()]
        self._units = [InfraInput(self.node_context, receiver, self._pipeline.agent.units[name])
                       for name, receiver in self._pipeline.receivers.items()]
        self._output = TrackOutput(self.tracks_publisher, self.markers_publisher, self.output_frame)
        return self._pipeline.max_gap_s

    def subscribe(self) -> list:
        """Listen to poses and to every unit."""
        self._poses: PoseInput = pose_input(
            self.node_context, lambda: self.settings.base_frame or self.cameras.base_frame, self.tf)
        for unit in self._unit_voxels:
            unit.subscribe()
        return [*self._poses.subscribe(), *(s for unit in self._units for s in unit.subscribe())]

    def stop(self) -> None:
        """End the worker and the subscriptions."""
        for unit in [*self._units, *self._unit_voxels]:
            unit.close()
        super().stop()

    def missing_inputs(self) -> list[str]:
        """Return whether poses are missing."""
        return self._poses.waiting()

    def watched_inputs(self) -> list[WatchedInput]:
        """Return the inputs of both nodes, the poses and the units."""
        return [*super().watched_inputs(), *(unit.watched() for unit in self._units), *self._poses.watched()]

    @property
    def stated_base_frame(self) -> str:
        """Return the vehicle's frame, empty for the one that Calibration names."""
        return self.settings.base_frame

    def needs_tf(self) -> bool:
        """Tell whether anything is looked up on /tf."""
        return super().needs_tf() or self.settings.pose__source == 'tf'

    def on_time_jump(self, stamp: int) -> None:
        """Let the units' messages follow the new time; poses do so by themselves."""
        with self.node_context.arrived:
            self._pipeline.restart(stamp)

    def process(self, job: FrameJob, views: Views) -> TrackArray:
        """Track one frame together with what was received and publish the tracks."""
        started = time.monotonic()
        settings: EgoSettings = self.settings
        frame = views.ego_frame(job.stamp_ns, self._poses.wait_for(job.stamp_ns))
        lidar_from_map = np.linalg.inv(frame.global_from_lidar)
        # A player sends no later pose before the frame is answered.
        frame = replace(frame, cloud=self.cloud_of(
            job, views, lambda at_ns: lidar_from_map @ self._poses.wait_for(at_ns, 0.0) @ views.base_from_lidar))
        received = self._received(job.stamp_ns, frame.global_from_lidar)
        job.mark('input', started)
        started = time.monotonic()
        answer = self._pipeline.step(frame, received, views.lidar_frame, settings)
        result, published = answer.result, answer.published
        self._output.publish(published)
        self.latency.publish(job, result.output.stage_seconds, started)
        self._output.show(published, answer.meta, settings, received.messages, views.anchor.base_frame)
        if self._detections.get_subscription_count():
            self._publish_detections(answer.detections())
        self.health.count('frames.processed')
        self.health.count(f'frames.{result.mode}')
        self._pipeline.learn_poses(settings.fusion__online_extrinsics)
        self._last = answer, frame
        return published.message

    def _publish_detections(self, detections: TrackArray) -> None:
        placed = self.output_frame.place(detections)
        if placed is not None:
            self._detections.publish(placed)

    def find_voxels(self) -> VoxelAnswer:
        """Return the voxels of the last frame together with what units send."""
        answer, frame = self._last
        if self.settings.lockstep:
            for unit in self._unit_voxels:
                unit.wait_for(frame.stamp_ns)
        with self.node_context.arrived:
            units = self._pipeline.voxels.received(answer.result, frame.stamp_ns)
        return self._pipeline.find_voxels(answer, frame, units, self.settings)

    def _received(self, stamp_ns: int, map_from_lidar: np.ndarray) -> Received:
        """Return the messages for a frame."""
        if self.settings.lockstep:
            for unit in self._units:
                unit.wait_for(stamp_ns)
        with self.node_context.arrived:
            return self._pipeline.agent.received(stamp_ns, map_from_lidar)


def main() -> int:
    """Run the node."""
    return run_program(EgoNode, with_found_inputs(sys.argv[1:]))
