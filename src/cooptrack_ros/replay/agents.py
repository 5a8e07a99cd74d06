"""The two agents without nodes: messages in, the messages out that a node would publish."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray

from ..common.errors import WireError
from ..common.timeline import StampOrder, TimeGuard
from ..common.types import Frame, Side
from ..model.image.preprocess import least_size
from ..nodes.ego_pipeline import EgoAnswer, EgoPipeline
from ..nodes.health.health import Health
from ..nodes.outputs.feature_output import FeatureOutput
from ..nodes.settings import EgoSettings, RoadsideSettings
from ..nodes.voxel_pipelines import RoadsideVoxels, VoxelAnswer, reader_of
from ..sensors.image_decoding import DecodedImage
from ..sensors.pose_history import PoseHistory
from ..weights.store import ModelPackage
from ..wire.arrays import stamp_ns
from ..wire.cameras import CalibrationHistory, CameraModel
from ..wire.images import AnyImage, decode_for_network
from ..wire.public_tracks import PublicTracks
from ..wire.views import Views, check_size, check_stated_size, views_of

Images = Mapping[str, AnyImage]
"""One of each camera of an agent, of one stamp, by the name of the camera."""


class _Cameras:
    """The cameras of an agent, in the order in which their calibrations came."""

    def __init__(self, least: tuple[int, int]):
        """Start without any; :param least: see ``sensors.image_decoding.decode_reduced``."""
        self._least = least
        self._models: dict[str, CalibrationHistory] = {}

    def describe(self, name: str, stamp: int, model: CameraModel) -> None:
        """Take the calibration of a camera."""
        self._models.setdefault(name, CalibrationHistory()).add(stamp, model)

    def size(self, name: str) -> tuple[int, int] | None:
        """Return columns and rows of the images of a camera, None before its calibration."""
        model = self._models[name].last if name in self._models else None
        return None if model is None else (model.width, model.height)

    def views(self, images: Images) -> Views:
        """Return the images of a frame as a node would have them; raise a WireError if one cannot be used."""
        if not images.keys() <= self._models.keys():
            raise WireError('missing_calibration', 'no Calibration before the image')
        stamp = stamp_of(images)
        models = [(name, history.at(stamp)) for name, history in self._models.items() if name in images]
        decoded = [self._decode(images[name], model) for name, model in models]
        return views_of(decoded, [model for _, model in models])

    def _decode(self, message: AnyImage, camera: CameraModel) -> DecodedImage:
        check_stated_size(message, (camera.width, camera.height))
        image = decode_for_network(message, self._least)
        check_size(image, camera)
        return image


def stamp_of(images: Images) -> int:
    """Return the stamp of the images of a frame, nanoseconds."""
    return stamp_ns(next(iter(images.values())).header.stamp)


class OfflineUnit:
    """One roadside unit."""

    def __init__(self, package: ModelPackage, name: str, finds_voxels: bool = False):
        """Load the roadside network; :param finds_voxels: and its occupancy head."""
        self._settings = RoadsideSettings(unit_id=name, occupancy__enabled=finds_voxels)
        self._tracker = package.tracker(Side.ROADSIDE)
        self._state = self._tracker.initial()
        tracks = PublicTracks(package.config.tracker_of(Side.ROADSIDE).score_threshold)
        self._features = FeatureOutput(package, tracks, count(1).__next__)
        reader = reader_of(package, Side.ROADSIDE, self._settings)
        self._voxels = RoadsideVoxels(reader, tracks) if reader is not None else None
        self._sent: InstanceFeatureArray | None = None
        self.cameras = _Cameras(least_size(package.config))

    def step(self, images: Images) -> InstanceFeatureArray:
        """
        Return what the unit sends for the images of a frame.

        :raises WireError: if one cannot be used.
        """
        stamp, views = stamp_of(images), self.cameras.views(images)
        self._state, output = self._tracker.step(self._state, views.roadside_frame(stamp))
        self._sent = self._features.compose(output, stamp, views, self._settings)[0]
        return self._sent

    def find_voxels(self) -> VoxelAnswer | None:
        """Return the voxels of that image, None where nobody wants any."""
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
        self.cameras = _Cameras(least_size(package.config))
        self._guard, self.poses = TimeGuard(), PoseHistory()

    def pose(self, stamp: int) -> np.ndarray | None:
        """Return map_from_base (4, 4) at a stamp."""
        return self.poses.at(stamp, self._settings.odometry__tolerance_ms / 1e3)

    def is_ready(self, stamp: int) -> bool:
        """Tell whether everything that belongs to an image is there."""
        units = self._pipeline.agent.units.values()
        settled = all(unit.is_settled(stamp) for unit in units if unit.has_pair(stamp))
        settled = settled and all(self.voxel_units[unit.unit_id].is_settled(unit.paired_ns(stamp)) for unit in units
                                  if unit.unit_id in self.awaited and unit.has_pair(stamp))
        return settled and self.pose(stamp) is not None

    def step(self, images: Images) -> tuple[TrackArray, TrackArray]:
        """
        Return tracks and detections of the images of a frame.

        :raises WireError: if one cannot be used, or there is no pose for them.
        """
        stamp, agent = stamp_of(images), self._pipeline.agent
        self._check_order(stamp)
        views, pose = self.cameras.views(images), self.pose(stamp)
        if pose is None:
            raise WireError('missing_pose', f'no odometry around the image: {self.poses.describe(stamp)}')
        frame = views.ego_frame(stamp, pose)
        received = agent.received(stamp, frame.global_from_lidar)
        answer = self._pipeline.step(frame, received, views.lidar_frame, self._settings)
        if self._settings.fusion__online_extrinsics:
            agent.learn_poses()
        self._last = answer, frame
        return answer.published.message, answer.detections()

    def find_voxels(self) -> VoxelAnswer | None:
        """Return the voxels of that image, None where nobody wants any."""
        voxels, (answer, frame) = self._pipeline.voxels, self._last
        if voxels is None:
            return None
        units = voxels.received(answer.result, frame.stamp_ns)
        return self._pipeline.find_voxels(answer, frame, units, self._settings)

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the image before')
        if order is StampOrder.JUMP:
            self._pipeline.restart(stamp)
