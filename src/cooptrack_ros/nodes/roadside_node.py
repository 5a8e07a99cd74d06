"""The roadside node: tracks what its camera sees and sends instance features."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray, Track, TrackArray, UnitInfo

from ..core.geometry import make_pose, nearest_rotation
from ..core.types import Frame, InstanceSet, Side
from ..model.store import ModelPackage
from ..wire.features import FeatureMeta, encode_instances, sendable
from ..wire.tracks import TrackMeta
from .camera_rig import Views
from .node_base import AgentNode, ImageJob, blank_frame, header_of, run_nodes
from .outputs import TrackOutput
from .qos import FEATURES, LATCHED
from .settings import RoadsideSettings


class RoadsideNode(AgentNode):
    """One roadside unit."""

    settings_class = RoadsideSettings

    def __init__(self, package: ModelPackage | None = None, **options):
        """Declare parameters and create the publishers of the unit."""
        super().__init__('roadside_node', package, **options)
        unit = self.settings.unit_id
        self._session = secrets.randbits(63)
        self._sequence = 0
        self._features = self.create_publisher(InstanceFeatureArray, f'/infra/{unit}/features', FEATURES)
        self._info = self.create_publisher(UnitInfo, f'/infra/{unit}/info', LATCHED)

    def hardware_id(self) -> str:
        """Return the name of the unit."""
        return self.settings.unit_id

    def load(self, package: ModelPackage) -> None:
        """Load the roadside network."""
        self._tracker = package.tracker(Side.ROADSIDE, self.settings.device)
        self._model_id = package.model_id(Side.ROADSIDE)
        self._config = package.config
        self._state = self._tracker.initial()
        self._tracker.step(self._state, blank_frame(package.config, len(self.cameras)))
        seen_score = package.config.tracker_of(Side.ROADSIDE).score_threshold
        self._output = TrackOutput(self.tracks_publisher, self.markers_publisher, seen_score)

    @property
    def stated_base_frame(self) -> str:
        """Return the map: that is where the unit stands."""
        return self.settings.map_frame

    def process(self, job: ImageJob, views: Views) -> TrackArray:
        """Track one frame and publish features, tracks and markers."""
        map_from_lidar = views.base_from_lidar
        # The network wants a proper pose; the exact matrix travels in the message.
        rigid = make_pose(nearest_rotation(map_from_lidar[:3, :3]), map_from_lidar[:3, 3])
        frame = Frame('', job.stamp_ns, views.images, views.img_from_lidar, np.eye(4), rigid)
        started = time.monotonic()
        self._state, output = self._tracker.step(self._state, frame)
        if output.reset and self._sequence:
            # Identities start again, so numbers of another session must not be mistaken for these.
            self._session, self._sequence = secrets.randbits(63), 0
        self._output.observe(output.instances.boxes, job.stamp_ns, output.reset)
        self._publish_features(output.instances, job.stamp_ns, views)
        meta = TrackMeta(job.stamp_ns, views.lidar_frame, 'roadside', self._model_id, self.settings.map_frame,
                         map_from_lidar, output.reset)
        shown = output.tracks[output.live & (output.tracks.score >= self.settings.output__min_score)]
        tracks = self._output.publish(shown, meta, (), self.settings, alone=Track.ROADSIDE)
        self.publish_latency(job, output.stage_seconds, started)
        self.health.count('frames.processed')
        return tracks

    def _publish_features(self, instances: InstanceSet, stamp_ns: int, views: Views) -> None:
        settings: RoadsideSettings = self.settings
        if self._sequence == 0:
            self._announce(stamp_ns, views, instances.semantic.shape[1])
        instances, num_implausible = sendable(instances, settings.features__max_instances)
        self.health.count('instances.implausible', num_implausible)
        instances = replace(instances, boxes=self._output.public(instances.boxes))
        meta = FeatureMeta(
            settings.unit_id, self._session, self._sequence, self._model_id, stamp_ns, views.lidar_frame,
            settings.map_frame, views.base_from_lidar, self._config.infra_range.pc_range,
            settings.features__encoding)
        self._features.publish(encode_instances(instances, meta))
        self._sequence += 1
        self.health.count('instances.sent', len(instances))

    def _announce(self, stamp_ns: int, views: Views, width: int) -> None:
        info = UnitInfo(
            header=header_of(stamp_ns, views.lidar_frame), version=InstanceFeatureArray.VERSION,
            unit_id=self.settings.unit_id, model_id=self._model_id, map_frame=self.settings.map_frame,
            class_names=list(self._config.class_names), rate_hz=self.settings.rate, width=width)
        info.pc_range = np.asarray(self._config.infra_range.pc_range, np.float32)
        self._info.publish(info)


def main() -> int:
    """Run the node."""
    return run_nodes(RoadsideNode)


if __name__ == '__main__':
    raise SystemExit(main())
