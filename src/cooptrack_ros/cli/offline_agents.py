"""The two agents without nodes: messages in, the messages out that a node would publish."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray

from ..core.ego_agent import EgoAgent
from ..core.geometry import make_pose, nearest_rotation
from ..core.pairing import PairingConfig
from ..core.pose_history import PoseHistory
from ..core.timeline import StampOrder, TimeGuard
from ..core.types import Frame, RoadsideMessage, Side
from ..model.store import ModelPackage
from ..nodes.health import Health
from ..nodes.infra_input import InfraInput
from ..nodes.outputs import TrackOutput
from ..nodes.settings import EgoSettings, RoadsideSettings
from ..wire.arrays import stamp_ns
from ..wire.cameras import CameraModel
from ..wire.errors import WireError
from ..wire.features import FeatureMeta, encode_instances, sendable
from ..wire.pictures import decode_image
from ..wire.tracks import TrackMeta, encode_tracks


class _Nobody:
    """Stands where a node has a publisher."""

    def publish(self, message: Any) -> None:
        """Do nothing: whoever makes a message here gets it returned."""

    def get_subscription_count(self) -> int:
        """Tell that nobody listens."""
        return 0


def _picture(message: CompressedImage, camera: CameraModel | None) -> np.ndarray:
    """Return the picture as the network wants it; raise a WireError if it cannot be used."""
    if camera is None:
        raise WireError('missing_calibration', 'no Calibration before the picture')
    image = decode_image(message)
    if image.shape[:2] != (camera.height, camera.width):
        raise WireError('wrong_size', f'picture of {image.shape[1]}x{image.shape[0]}, the calibration is for '
                        f'{camera.width}x{camera.height}')
    return image if camera.lens is None else camera.lens.undistort(image)


class OfflineUnit:
    """One roadside unit."""

    def __init__(self, package: ModelPackage, name: str):
        """Load the roadside network."""
        self._settings, self._package = RoadsideSettings(unit_id=name), package
        self._tracker = package.tracker(Side.ROADSIDE)
        self._state = self._tracker.initial()
        self._output = TrackOutput(_Nobody(), _Nobody(), package.config.tracker_of(Side.ROADSIDE).score_threshold)
        self._session, self._sequence = 1, 0
        self.camera: CameraModel | None = None

    def step(self, message: CompressedImage) -> InstanceFeatureArray:
        """
        Return what the unit sends for a picture.

        :raises WireError: if the picture cannot be used.
        """
        image, stamp, camera = _picture(message, self.camera), stamp_ns(message.header.stamp), self.camera
        exact = camera.base_from_lidar
        rigid = make_pose(nearest_rotation(exact[:3, :3]), exact[:3, 3])
        frame = Frame('', stamp, (image,), camera.img_from_lidar[None], np.eye(4), rigid)
        self._state, output = self._tracker.step(self._state, frame)
        if output.reset and self._sequence:
            self._session, self._sequence = self._session + 1, 0
        self._output.observe(output.instances.boxes, stamp, output.reset)
        settings = self._settings
        instances, _ = sendable(output.instances, settings.features__max_instances)
        instances = replace(instances, boxes=self._output.public(instances.boxes))
        meta = FeatureMeta(
            settings.unit_id, self._session, self._sequence, self._package.model_id(Side.ROADSIDE), stamp,
            camera.lidar_frame, settings.map_frame, exact, self._package.config.infra_range.pc_range,
            settings.features__encoding)
        self._sequence += 1
        return encode_instances(instances, meta)


class OfflineEgo:
    """The vehicle."""

    def __init__(self, package: ModelPackage, settings: EgoSettings, units: list[str], health: Health):
        """
        Load the network of the mode.

        :param units: names of those to listen to; :param health: counts what is dropped.
        """
        self._settings, self._mode = settings, settings.fusion__mode
        self._cooperates = self._mode in ('auto', 'cooperative', 'rule')
        side = Side.COOPERATIVE if self._cooperates else Side.VEHICLE
        runs = package.with_behaviour(association='rule') if self._mode == 'rule' else package
        self._agent = EgoAgent(runs.tracker(side), self._mode in ('auto', 'late'))
        self._model_id = package.model_id(side)
        sender = package.model_id(Side.ROADSIDE) if self._cooperates and package.has(Side.ROADSIDE) else ''
        pairing = PairingConfig(settings.fusion__max_infra_age_ms / 1e3, settings.fusion__max_clock_skew_ms / 1e3)
        self.units = {name: InfraInput(name, sender, settings.map_frame, pairing, health) for name in units}
        own = package.config.tracker_of(side)
        self._output = TrackOutput(_Nobody(), _Nobody(), own.score_threshold, own.output_threshold)
        self._guard, self.poses = TimeGuard(), PoseHistory()
        self.camera: CameraModel | None = None

    def pose(self, stamp: int) -> np.ndarray | None:
        """Return map_from_base (4, 4) at a stamp."""
        return self.poses.at(stamp, self._settings.odometry__tolerance_ms / 1e3)

    def is_ready(self, stamp: int) -> bool:
        """Tell whether everything that belongs to a picture is there."""
        settled = all(unit.is_settled(stamp) for unit in self.units.values() if unit.has_pair(stamp))
        return settled and self.pose(stamp) is not None

    def step(self, message: CompressedImage) -> tuple[TrackArray, TrackArray]:
        """
        Return tracks and detections of a picture.

        :raises WireError: if the picture cannot be used, or there is no pose for it.
        """
        stamp = stamp_ns(message.header.stamp)
        self._check_order(stamp)
        image, camera, pose = _picture(message, self.camera), self.camera, self.pose(stamp)
        if pose is None:
            raise WireError('missing_pose', 'no odometry around the picture')
        frame = Frame('', stamp, (image,), camera.img_from_lidar[None], camera.base_from_lidar, pose)
        fused, late = self._received(stamp, frame.global_from_lidar)
        result = self._agent.step(frame, fused, late)
        messages = [*fused, *late]
        age = max((stamp - m.stamp_ns) / 1e9 for m in messages) if messages else None
        meta = TrackMeta(stamp, camera.lidar_frame, result.mode, self._model_id, self._settings.map_frame,
                         frame.global_from_lidar, result.output.reset, age, sum(len(m.instances) for m in messages))
        self._output.observe(result.tracks, stamp, result.output.reset)
        shown = result.tracks[result.tracks.score >= self._settings.output__min_score]
        tracks = self._output.publish(shown, meta, result.matches, self._settings, messages)
        none = np.zeros(len(result.detections), np.int64)
        return tracks, encode_tracks(result.detections.with_(track_id=none), meta, none.astype(float), none, {})

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the picture before')
        if order is StampOrder.JUMP:
            for unit in self.units.values():
                unit.restart(stamp)

    def _received(self, stamp: int, map_from_lidar: np.ndarray) -> tuple[list[RoadsideMessage], list[RoadsideMessage]]:
        fused, late = [], []
        for unit in self.units.values():
            message, is_known = unit.message_for(stamp, map_from_lidar)
            if message is not None and self._cooperates and is_known:
                fused.append(message)
            elif message is not None and self._mode not in ('cooperative', 'rule'):
                late.append(message)
        return fused, late
