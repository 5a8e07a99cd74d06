"""The two agents without nodes: messages in, the messages out that a node would publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count

import numpy as np
from sensor_msgs.msg import PointCloud2

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray

from ..common.errors import WireError
from ..common.timeline import StampOrder, TimeGuard
from ..common.types import Frame, Side
from ..model.image.preprocess import least_size
from ..nodes.ego_pipeline import EgoAnswer, EgoPipeline
from ..nodes.health.health import Health
from ..nodes.inputs.cloud_reader import CloudPlace, CloudReader
from ..nodes.outputs.feature_output import FeatureOutput
from ..nodes.settings import CommonSettings, EgoSettings, RoadsideSettings
from ..nodes.voxel_pipelines import RoadsideVoxels, VoxelAnswer, reader_of
from ..sensors.image_decoding import DecodedImage
from ..sensors.pose_history import PoseHistory
from ..weights.store import ModelPackage
from ..wire.arrays import stamp_ns
from ..wire.cameras import CalibrationHistory, CameraModel
from ..wire.images import AnyImage, decode_for_network
from ..wire.public_tracks import PublicTracks
from ..wire.views import Views, check_size, check_stated_size, views_of, views_without_images

Images = Mapping[str, AnyImage]
"""One of each camera of an agent, of one stamp, by the name of the camera."""
Seen = Images | PointCloud2
"""What makes a frame: images, or a point cloud where there are no cameras."""


class Eyes:
    """What an agent without a node looks with: its cameras, in the order of their calibrations, its lidar, or both."""

    def __init__(self, settings: CommonSettings, side: Side, least: tuple[int, int], health: Health,
                 source: str = 'points'):
        """
        Take what the parameters of the agent say.

        :param least: see ``sensors.image_decoding.decode_reduced``; :param source: name under which clouds that cannot
            be used are counted.
        """
        self._least, self._health, self._source = least, health, source
        self._models: dict[str, CalibrationHistory] = {}
        self.clouds = CloudReader(settings, side) if settings.lidar__enabled else None

    def describe(self, name: str, stamp: int, model: CameraModel) -> None:
        """Take the calibration of a camera."""
        self._models.setdefault(name, CalibrationHistory()).add(stamp, model)

    def size(self, name: str) -> tuple[int, int] | None:
        """Return columns and rows of the images of a camera, None before its calibration."""
        model = self._models[name].last if name in self._models else None
        return None if model is None else (model.width, model.height)

    def views(self, seen: Seen) -> Views:
        """Return what a node would have of what makes a frame; raise a WireError if it cannot be used."""
        stamp, is_cloud = stamp_of(seen), isinstance(seen, PointCloud2)
        if not self._models or not (is_cloud or seen.keys() <= self._models.keys()):
            raise WireError('missing_calibration', 'no Calibration before the frame')
        models = [(name, history.at(stamp)) for name, history in self._models.items() if is_cloud or name in seen]
        if is_cloud:
            return views_without_images(models[0][1])
        decoded = [self._decode(seen[name], model) for name, model in models]
        return views_of(decoded, [model for _, model in models])

    def _decode(self, message: AnyImage, camera: CameraModel) -> DecodedImage:
        check_stated_size(message, (camera.width, camera.height))
        image = decode_for_network(message, self._least)
        check_size(image, camera)
        return image

    def cloud(self, seen: Seen, lidar_frame: str,
              moved: Callable[[int], np.ndarray] = lambda at_ns: np.eye(4)) -> np.ndarray | None:
        """
        Return the cloud of a frame, None without one.

        :param moved: see ``nodes.inputs.cloud_reader.CloudPlace``.
        :raises WireError: for a frame that is nothing but a cloud, if that cannot be used.
        """
        if self.clouds is None:
            return None
        stamp = stamp_of(seen)
        try:
            return self.clouds.points(self.clouds.nearest(stamp)[1],
                                      CloudPlace(stamp, lidar_frame, _no_transform, moved))
        except WireError as error:
            if isinstance(seen, PointCloud2):
                raise
            self._health.drop(self._source, error.reason, str(error))
            return None


def _no_transform(frame: str, at_ns: int) -> np.ndarray:
    raise WireError('wrong_frame', f"a point cloud in frame '{frame}', which is not that of the Calibration")


def stamp_of(seen: Seen) -> int:
    """Return the stamp of what makes a frame, nanoseconds."""
    message = seen if isinstance(seen, PointCloud2) else next(iter(seen.values()))
    return stamp_ns(message.header.stamp)


class OfflineUnit:
    """One roadside unit."""

    def __init__(self, package: ModelPackage, settings: RoadsideSettings, health: Health):
        """Load the roadside network; :param health: counts what is dropped."""
        self._settings = settings
        self._tracker = package.tracker(Side.ROADSIDE, takes_clouds=settings.lidar__enabled)
        self._state = self._tracker.initial()
        tracks = PublicTracks(package.config.tracker_of(Side.ROADSIDE).score_threshold)
        self._features = FeatureOutput(package, tracks, count(1).__next__)
        reader = reader_of(package, Side.ROADSIDE, self._settings)
        self._voxels = RoadsideVoxels(reader, tracks) if reader is not None else None
        self._sent: InstanceFeatureArray | None = None
        self.eyes = Eyes(settings, Side.ROADSIDE, least_size(package.config), health, settings.unit_id)

    def step(self, seen: Seen) -> InstanceFeatureArray:
        """
        Return what the unit sends for a frame.

        :raises WireError: if what makes it cannot be used.
        """
        stamp, views = stamp_of(seen), self.eyes.views(seen)
        frame = replace(views.roadside_frame(stamp), cloud=self.eyes.cloud(seen, views.lidar_frame))
        self._state, output = self._tracker.step(self._state, frame)
        self._sent = self._features.compose(output, stamp, views, self._settings)[0]
        return self._sent

    def find_voxels(self) -> VoxelAnswer | None:
        """Return the voxels of that frame, None where nobody wants any."""
        return None if self._voxels is None else self._voxels.find(self._state, self._sent, self._settings)


class OfflineEgo:
    """The vehicle."""

    def __init__(self, package: ModelPackage, settings: EgoSettings, units: Mapping[str, str], health: Health):
        """
        Load the network of the mode.

        :param units: see ``EgoPipeline``; :param health: counts what is dropped.
        :raises UserError: if the settings name a unit that is not among them.
        """
        self._settings = settings
        # As in lockstep no rate is too high.
        self._pipeline = EgoPipeline(package, settings, units, health)
        self.units = self._pipeline.receivers
        self.voxel_units = self._pipeline.voxels.receivers if self._pipeline.voxels is not None else {}
        """What takes the voxels of each unit, where they are wanted."""
        self.awaited: set[str] = set()
        """Units whose voxels a frame waits for."""
        self._last: tuple[EgoAnswer, Frame] | None = None
        self.eyes = Eyes(settings, Side.VEHICLE, least_size(package.config), health)
        self._guard, self.poses = TimeGuard(), PoseHistory()

    def pose(self, stamp: int) -> np.ndarray | None:
        """Return map_from_base (4, 4) at a stamp."""
        return self.poses.at(stamp, self._settings.odometry__tolerance_ms / 1e3)

    def is_ready(self, stamp: int) -> bool:
        """Tell whether everything that belongs to a frame is there."""
        units = self._pipeline.agent.units.values()
        settled = all(unit.is_settled(stamp) for unit in units if unit.has_pair(stamp))
        settled = settled and all(self.voxel_units[unit.unit_id].is_settled(unit.paired_ns(stamp)) for unit in units
                                  if unit.unit_id in self.awaited and unit.has_pair(stamp))
        return settled and self.pose(stamp) is not None

    def step(self, seen: Seen) -> tuple[TrackArray, TrackArray]:
        """
        Return tracks and detections of a frame.

        :raises WireError: if what makes it cannot be used, or there is no pose for it.
        """
        stamp, agent = stamp_of(seen), self._pipeline.agent
        self._check_order(stamp)
        views = self.eyes.views(seen)
        frame = views.ego_frame(stamp, self._known_pose(stamp))
        lidar_from_map = np.linalg.inv(frame.global_from_lidar)
        frame = replace(frame, cloud=self.eyes.cloud(seen, views.lidar_frame, lambda at_ns: (
            lidar_from_map @ self._known_pose(at_ns) @ views.base_from_lidar)))
        received = agent.received(stamp, frame.global_from_lidar)
        answer = self._pipeline.step(frame, received, views.lidar_frame, self._settings)
        if self._settings.fusion__online_extrinsics:
            agent.learn_poses()
        self._last = answer, frame
        return answer.published.message, answer.detections()

    def find_voxels(self) -> VoxelAnswer | None:
        """Return the voxels of that frame, None where nobody wants any."""
        voxels, (answer, frame) = self._pipeline.voxels, self._last
        if voxels is None:
            return None
        units = voxels.received(answer.result, frame.stamp_ns)
        return self._pipeline.find_voxels(answer, frame, units, self._settings)

    def _known_pose(self, stamp: int) -> np.ndarray:
        pose = self.pose(stamp)
        if pose is None:
            raise WireError('missing_pose', f'no odometry around the stamp: {self.poses.describe(stamp)}')
        return pose

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the image before')
        if order is StampOrder.JUMP:
            self._pipeline.restart(stamp)
