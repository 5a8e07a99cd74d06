"""The roadside node: tracks what its camera sees and sends instance features."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
from rclpy.publisher import Publisher

from cooptrack_msgs.msg import InstanceFeatureArray, RoadsideOccupancy, TrackArray, UnitInfo

from ..common.errors import UserError
from ..common.types import FrameOutput, Provenance, Side
from ..tracking.uncertainty import StatedTracks
from ..tracking.warm_up import blank_frame, warm_up
from ..weights.store import ModelPackage
from ..wire.arrays import header_of
from ..wire.public_tracks import PublicTracks
from ..wire.topics import INFO, check_name, features_topic, occupancy_topic, unit_topic
from ..wire.tracks import TrackMeta
from ..wire.views import Views
from .context import FrameJob
from .node_base import AgentNode, run_program
from .outputs.cpm_output import CpmOutput
from .outputs.feature_output import FeatureOutput
from .outputs.track_output import TrackOutput
from .qos import LATCHED, features_qos
from .settings import RoadsideSettings
from .voxel_pipelines import RoadsideVoxels, VoxelAnswer, reader_of, try_out


class RoadsideNode(AgentNode):
    """One roadside unit."""

    settings_class, side = RoadsideSettings, Side.ROADSIDE

    def __init__(self, package: ModelPackage | None = None, **options):
        """Declare parameters and create the publishers of the unit; a name that none can have is refused later."""
        super().__init__('roadside_node', package, **options)
        self._features: Publisher | None = None
        self._info: Publisher | None = None
        self._link: Publisher | None = None
        self._voxels: RoadsideVoxels | None = None
        self._cpm: CpmOutput | None = None
        self._sent: InstanceFeatureArray | None = None
        with suppress(UserError):
            self._create_publishers()

    def hardware_id(self) -> str:
        """Return the name of the unit."""
        return self.settings.unit_id

    def load(self, package: ModelPackage) -> float:
        """Load the roadside network; refuse a name of the unit that cannot be part of topics."""
        self._create_publishers()
        self._tracker = package.tracker(
            Side.ROADSIDE, self.settings.device, self.settings.execution, self.settings.lidar__enabled)
        self._model_id = package.model_id(Side.ROADSIDE)
        self._config = package.config
        self._state = self._tracker.initial()
        state = warm_up(self._tracker, blank_frame(package.config, len(self.cameras), self.settings.lidar__enabled))
        life = package.config.tracker_of(Side.ROADSIDE)
        self._tracks = PublicTracks(life.score_threshold)
        self._stated = StatedTracks(package.uncertainty(), Side.ROADSIDE)
        lacking = package.lacks_uncertainty(Side.ROADSIDE)
        if lacking:
            self.get_logger().info(lacking)
        self._output = TrackOutput(self.tracks_publisher, self.markers_publisher, self.output_frame)
        if self._cpm is None:
            self._cpm = CpmOutput(self, self.settings)
        self._sender = FeatureOutput(package, self._tracks, lambda: secrets.randbits(63))
        reader = reader_of(package, Side.ROADSIDE, self.settings)
        if reader is not None:
            try_out(reader, state, self.settings)
            self._voxels = RoadsideVoxels(reader, self._tracks)
            self._create_link(self.settings)
        return life.reset_gap_s

    def _create_publishers(self) -> None:
        settings: RoadsideSettings = self.settings
        unit = check_name("parameter 'unit_id'", settings.unit_id)
        if self._features is None:
            self._features = self.create_publisher(InstanceFeatureArray, features_topic(unit), features_qos(
                settings.features__reliability, settings.features__depth))
            self._info = self.create_publisher(UnitInfo, unit_topic(unit, INFO), LATCHED)

    def _create_link(self, settings: RoadsideSettings) -> None:
        if self._link is None:
            self._link = self.create_publisher(RoadsideOccupancy, occupancy_topic(settings.unit_id), features_qos(
                settings.features__reliability, settings.features__depth))

    @property
    def stated_base_frame(self) -> str:
        """Return the map: that is where the unit stands."""
        return self.settings.map_frame

    def process(self, job: FrameJob, views: Views) -> TrackArray:
        """Track one frame and publish features, tracks and markers."""
        started = time.monotonic()
        frame = replace(views.roadside_frame(job.stamp_ns), cloud=self.cloud_of(job, views))
        self._state, output = self._tracker.step(self._state, frame)
        self._publish_features(output, job.stamp_ns, views)
        meta = TrackMeta(job.stamp_ns, views.lidar_frame, 'roadside', self._model_id, self.settings.map_frame,
                         views.base_from_lidar, self._config.class_names, output.reset)
        is_shown = output.live & (output.tracks.score >= self.settings.output__min_score)
        shown, source = output.tracks[is_shown], np.full(len(output.tracks), Provenance.ROADSIDE)
        if output.reset:
            self._stated.restart()
        _, stated = self._stated.of(output.tracks, source, output.live, job.stamp_ns, frame.ego_from_lidar)
        stated = None if stated is None else stated[is_shown]
        published = self._tracks.compose(shown, source[is_shown], (), meta, stated)
        self._output.publish(published)
        self.latency.publish(job, output.stage_seconds, started)
        self._cpm.publish(published.message, self.settings.features__max_instances)
        self._output.show(published, meta, self.settings)
        self.health.count('frames.processed')
        return published.message

    def find_voxels(self) -> VoxelAnswer:
        """Return the voxels of the last frame, and send them to vehicles."""
        answer = self._voxels.find(self._state, self._sent, self.settings)
        self._link.publish(answer.link)
        return answer

    def _publish_features(self, output: FrameOutput, stamp_ns: int, views: Views) -> None:
        message, num_implausible = self._sender.compose(output, stamp_ns, views, self.settings)
        self.health.count('instances.implausible', num_implausible)
        if message.sequence == 0:
            self._announce(stamp_ns, views, output.instances.semantic.shape[1])
        self._features.publish(message)
        self._sent = message
        self.health.count('instances.sent', int(message.count))

    def _announce(self, stamp_ns: int, views: Views, feature_dim: int) -> None:
        info = UnitInfo(
            header=header_of(stamp_ns, views.lidar_frame), version=InstanceFeatureArray.VERSION,
            unit_id=self.settings.unit_id, model_id=self._model_id, map_frame=self.settings.map_frame,
            class_names=list(self._config.class_names), rate_hz=self.settings.rate, feature_dim=feature_dim)
        info.pc_range = np.asarray(self._config.infra_range.pc_range, np.float32)
        self._info.publish(info)


def main() -> int:
    """Run the node."""
    return run_program(RoadsideNode)
