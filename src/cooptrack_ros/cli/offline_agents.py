"""The two agents without nodes: messages in, the messages out that a node would publish."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray

from ..core.ego_agent import EgoAgent
from ..core.pairing import PairingConfig
from ..core.pose_history import PoseHistory
from ..core.timeline import StampOrder, TimeGuard
from ..core.types import Side
from ..model.preprocess import least_size
from ..model.store import ModelPackage
from ..nodes.feature_output import FeatureOutput
from ..nodes.health import Health
from ..nodes.infra_input import FEATURE_MODES, InfraInput, gather
from ..nodes.outputs import TrackOutput
from ..nodes.settings import EgoSettings, RoadsideSettings
from ..wire.arrays import stamp_ns
from ..wire.cameras import CameraModel
from ..wire.errors import WireError
from ..wire.pictures import decode_for_network
from ..wire.tracks import ego_meta, encode_detections
from ..wire.views import Views, check_size, views_of


class _Nobody:
    """Stands where a node has a publisher."""

    def publish(self, message: Any) -> None:
        """Do nothing: whoever makes a message here gets it returned."""

    def get_subscription_count(self) -> int:
        """Tell that nobody listens."""
        return 0


def _views(message: CompressedImage, camera: CameraModel | None, least: tuple[int, int] | None) -> Views:
    """Return the picture as a node would have it; raise a WireError if it cannot be used."""
    if camera is None:
        raise WireError('missing_calibration', 'no Calibration before the picture')
    picture = decode_for_network(message, least)
    check_size(picture, camera)
    return views_of([picture], [camera])


class OfflineUnit:
    """One roadside unit."""

    def __init__(self, package: ModelPackage, name: str):
        """Load the roadside network."""
        self._settings = RoadsideSettings(unit_id=name)
        self._tracker = package.tracker(Side.ROADSIDE)
        self._state = self._tracker.initial()
        tracks = TrackOutput(_Nobody(), _Nobody(), package.config.tracker_of(Side.ROADSIDE).score_threshold)
        self._features = FeatureOutput(package, tracks, count(1).__next__)
        self._least_size = least_size(package.config)
        self.camera: CameraModel | None = None

    def step(self, message: CompressedImage) -> InstanceFeatureArray:
        """
        Return what the unit sends for a picture.

        :raises WireError: if the picture cannot be used.
        """
        stamp, views = stamp_ns(message.header.stamp), _views(message, self.camera, self._least_size)
        self._state, output = self._tracker.step(self._state, views.roadside_frame(stamp))
        return self._features.compose(output, stamp, views, self._settings)[0]


class OfflineEgo:
    """The vehicle."""

    def __init__(self, package: ModelPackage, settings: EgoSettings, units: list[str], health: Health):
        """
        Load the network of the mode.

        :param units: names of those to listen to; :param health: counts what is dropped.
        :raises UserError: if the settings name a unit that is not among them.
        """
        self._settings, self._mode = settings, settings.fusion__mode
        cooperates = self._mode in FEATURE_MODES
        side = Side.COOPERATIVE if cooperates else Side.VEHICLE
        runs = package.with_behaviour(**settings.behaviour())
        behaviour = runs.config.behaviour
        self._agent = EgoAgent(runs.tracker(side), self._mode in ('auto', 'late'), behaviour.roadside_lifetime_s)
        self._model_id = package.model_id(side)
        sender = package.sender() if cooperates and package.has(Side.ROADSIDE) else None
        pairing = PairingConfig(settings.max_infra_age_s(behaviour.compensation),
                                settings.fusion__max_clock_skew_ms / 1e3)
        only_confirm = settings.only_confirm(units)
        # As in lockstep no rate is too high.
        self.units = {name: InfraInput(name, sender, settings.map_frame, pairing, health,
                                       may_create=name not in only_confirm) for name in units}
        own = package.config.tracker_of(side)
        self._output = TrackOutput(_Nobody(), _Nobody(), own.score_threshold, own.output_threshold)
        self._least_size = least_size(package.config)
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
        views, pose = _views(message, self.camera, self._least_size), self.pose(stamp)
        if pose is None:
            raise WireError('missing_pose', 'no odometry around the picture')
        frame = views.ego_frame(stamp, pose)
        fused, late = gather(self.units.values(), stamp, frame.global_from_lidar, self._mode)
        settings, messages = self._settings, [*fused, *late]
        result = self._agent.step(frame, fused, late, settings.fusion__correct_pose)
        if settings.fusion__correct_pose:
            self._agent.check_poses(messages, corrects_poses=True)
        meta = ego_meta(result, messages, frame, views.lidar_frame, self._model_id, settings.map_frame)
        self._output.observe(result.tracks, stamp, result.output.reset)
        shown = result.tracks[result.tracks.score >= settings.output__min_score]
        published = self._output.publish(shown, meta, result.matches)
        return published.message, encode_detections(result.detections, meta)

    def _check_order(self, stamp: int) -> None:
        order = self._guard.check(stamp)
        if order in (StampOrder.DUPLICATE, StampOrder.LATE):
            raise WireError(order.value, 'its stamp is not after that of the picture before')
        if order is StampOrder.JUMP:
            for unit in self.units.values():
                unit.restart(stamp)
