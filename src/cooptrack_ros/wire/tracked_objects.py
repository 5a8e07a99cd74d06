"""Tracks as ``autoware_perception_msgs/TrackedObjects``, for planners that know Autoware's types, and from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

import numpy as np
from autoware_perception_msgs.msg import (
    ObjectClassification,
    Shape,
    TrackedObject,
    TrackedObjectKinematics,
    TrackedObjects,
)

from cooptrack_msgs.msg import Track, TrackArray

from ..common.errors import WireError
from ..common.geometry import heading, rotation_from_quaternion
from ..common.types import Boxes
from ..common.uncertainty import TrackUncertainty
from ..cooperation.foreign import LEAST_STD_RAD, NOT_STATED, ForeignObjects, Numbers, label_of
from .arrays import finite, is_time, stamp_ns
from .features import FeatureLimits
from .foreign import believed, check_boxes
from .topics import TRACKED_OBJECTS
from .tracks import decode_tracks, tracks_in_map
from .uncertainty import decode_uncertainty, pose_covariance, twist_covariance, uncertainty_in_map

_LABELS = {
    'car': ObjectClassification.CAR, 'van': ObjectClassification.CAR, 'truck': ObjectClassification.TRUCK,
    'bus': ObjectClassification.BUS, 'trailer': ObjectClassification.TRAILER,
    'motorcycle': ObjectClassification.MOTORCYCLE, 'motorcyclist': ObjectClassification.MOTORCYCLE,
    'bicycle': ObjectClassification.BICYCLE, 'cyclist': ObjectClassification.BICYCLE,
    'pedestrian': ObjectClassification.PEDESTRIAN}
"""By class name of a model; any other is UNKNOWN."""
_SURE_OF_SIGN = 0.05
"""Headings that are opposite more often than this have no sign: what is stated is to hold in 95 % of cases."""
_KINDS = {
    ObjectClassification.CAR: 'car', ObjectClassification.TRUCK: 'truck', ObjectClassification.BUS: 'bus',
    ObjectClassification.TRAILER: 'trailer', ObjectClassification.MOTORCYCLE: 'motorcycle',
    ObjectClassification.BICYCLE: 'bicycle', ObjectClassification.PEDESTRIAN: 'pedestrian'}
"""By label, what ``cooperation.foreign.label_of`` takes."""
_HEAD_BYTES, _OBJECT_BYTES = 1024, 2048
"""More than a message has beside its objects, and than an object with covariances and an outline of some ten points."""
_YAW = 5
"""Of the six axes of a pose."""
_MOVES_MPS = 0.5
"""Faster than this backwards nothing drives whose heading could as well be the opposite one."""


def to_tracked_objects(msg: TrackArray, session: UUID, turn_rates: Mapping[int, float] | None = None,
                       in_map: bool = True) -> TrackedObjects:
    """
    Return the tracks in the map frame at the stamp of the image, in the same order.

    The velocity is that over ground, in the axes of the object itself: x along its heading, so an object that drives
    backwards has a negative one. Covariances stay 0 where the model states none; the probability of existence is the
    score there. Where a heading may well be opposite, its sign counts as unknown.

    :param session: the time in which numbers of tracks mean the same objects; UUIDs are made of both.
    :param turn_rates: of tracks, rad/s, by number; others stay 0.
    :param in_map: otherwise the tracks stay in the frame of their header.
    """
    boxes, rates = tracks_in_map(msg) if in_map else decode_tracks(msg), turn_rates or {}
    cosine, sine = np.cos(boxes.yaw), np.sin(boxes.yaw)
    x, y = np.nan_to_num(boxes.velocity).T
    along = np.column_stack([cosine * x + sine * y, cosine * y - sine * x])
    result = TrackedObjects()
    result.header.stamp, result.header.frame_id = msg.header.stamp, msg.map_frame if in_map else msg.header.frame_id
    columns = boxes.centre, boxes.yaw, along
    result.objects = [_object(track, session, rates.get(track.id, 0.0), *row)
                      for track, *row in zip(msg.tracks, *(c.tolist() for c in columns), strict=True)]
    stated = uncertainty_in_map(msg) if in_map else decode_uncertainty(msg)
    for i in np.flatnonzero(stated.known):
        _state(result.objects[i], stated[i], boxes.yaw[i], msg.tracks[i].has_velocity)
    return result


def _object(track: Track, session: UUID, turn_rate: float, centre: list[float], yaw: float,
            velocity: list[float]) -> TrackedObject:
    result = TrackedObject(existence_probability=track.score)
    result.object_id.uuid = np.frombuffer(uuid5(session, str(track.id)).bytes, np.uint8)
    label = _LABELS.get(track.class_name.lower(), ObjectClassification.UNKNOWN)
    result.classification = [ObjectClassification(label=label, probability=1.0)]
    result.shape.type, result.shape.dimensions = Shape.BOUNDING_BOX, track.size
    kinematics = result.kinematics
    pose, twist = kinematics.pose_with_covariance.pose, kinematics.twist_with_covariance.twist
    pose.position.x, pose.position.y, pose.position.z = centre
    pose.orientation.z, pose.orientation.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
    kinematics.orientation_availability = TrackedObjectKinematics.AVAILABLE
    twist.linear.x, twist.linear.y = velocity
    twist.angular.z = turn_rate
    return result


def _state(target: TrackedObject, stated: TrackUncertainty, yaw: float, has_velocity: bool) -> None:
    """Enter what is stated of one track, in the axes of the frame of its message."""
    kinematics = target.kinematics
    target.existence_probability = float(stated.existence)
    kinematics.pose_with_covariance.covariance = pose_covariance(stated.position, float(stated.heading))
    if stated.flip > _SURE_OF_SIGN:
        kinematics.orientation_availability = TrackedObjectKinematics.SIGN_UNKNOWN
    if has_velocity:
        kinematics.twist_with_covariance.covariance = twist_covariance(stated.velocity, yaw)


class TrackedObjectsReader:
    """Reads what one unit sends; remembers the numbers of its UUIDs."""

    kind, topic = TrackedObjects, TRACKED_OBJECTS

    def __init__(self, map_frame: str, class_names: Sequence[str], limits: FeatureLimits):
        """Take the frame that messages must refer to, the classes of the model, and what is accepted."""
        self._map_frame, self._limits = map_frame, limits
        self._label = {label: label_of(kind, class_names) for label, kind in _KINDS.items()}
        self._numbers = Numbers()
        self.max_bytes = _HEAD_BYTES + limits.max_instances * _OBJECT_BYTES

    def read(self, msg: TrackedObjects) -> ForeignObjects:
        """
        Return what a message says.

        One standard deviation is what its covariances state. An object without any for its place states nothing.

        :raises WireError: naming what is wrong; one bad object costs the whole message.
        """
        if msg.header.frame_id != self._map_frame:
            raise WireError('wrong_map_frame', f"its objects stand in frame '{msg.header.frame_id}', expected "
                            f"'{self._map_frame}' (parameter map_frame)")
        if not is_time(msg.header.stamp):
            raise WireError('implausible', f'stamp {msg.header.stamp.sec} s, {msg.header.stamp.nanosec} ns')
        if len(msg.objects) > self._limits.max_instances:
            raise WireError('too_large', f'{len(msg.objects)} objects; at most {self._limits.max_instances} are '
                            'accepted')
        known = [(label, tracked) for tracked in msg.objects if (label := self._label_of(tracked)) >= 0]
        rows = [_row(label, self._numbers.of(bytes(tracked.object_id.uuid)), tracked) for label, tracked in known]
        boxes = _boxes(rows)
        check_boxes(boxes, self._limits)
        if len(set(boxes.track_id.tolist())) < len(boxes):
            raise WireError('implausible', 'two objects have one UUID')
        return ForeignObjects(stamp_ns(msg.header.stamp), boxes, _uncertainty([t for _, t in known], boxes),
                              no_class=len(msg.objects) - len(known))

    def _label_of(self, tracked: TrackedObject) -> int:
        best = max(tracked.classification, key=lambda c: c.probability, default=None)
        return -1 if best is None else self._label.get(best.label, -1)


def _row(label: int, number: int, tracked: TrackedObject) -> tuple:
    """Return centre, size, yaw, velocity in the map, label, score, number."""
    kinematics = tracked.kinematics
    pose, linear = kinematics.pose_with_covariance.pose, kinematics.twist_with_covariance.twist.linear
    q = pose.orientation
    quaternion = finite(np.array([q.w, q.x, q.y, q.z]), 'orientation')
    if abs(np.linalg.norm(quaternion) - 1) > 1e-2:
        raise WireError('implausible', 'an orientation is not a unit quaternion')
    yaw = heading(rotation_from_quaternion(quaternion))
    c, s = np.cos(yaw), np.sin(yaw)
    velocity = finite(np.array([c * linear.x - s * linear.y, s * linear.x + c * linear.y]), 'velocity')
    if kinematics.orientation_availability == TrackedObjectKinematics.SIGN_UNKNOWN and linear.x < -_MOVES_MPS:
        yaw += np.pi
    offset, size = _extent(tracked.shape)
    centre = (pose.position.x + c * offset[0] - s * offset[1], pose.position.y + s * offset[0] + c * offset[1],
              pose.position.z)
    return centre, size, yaw, velocity, label, tracked.existence_probability, number


def _extent(shape: Shape) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Return where the middle of a shape is in the axes of its object, and its length, width and height."""
    size = shape.dimensions
    if shape.type == Shape.CYLINDER:
        return (0.0, 0.0), (size.x, size.x, size.z)
    if shape.type == Shape.POLYGON and shape.footprint.points:
        points = np.array([(p.x, p.y) for p in shape.footprint.points], np.float64)
        low, high = finite(points, 'footprint').min(0), points.max(0)
        return tuple((low + high) / 2), (*(high - low), size.z)
    return (0.0, 0.0), (size.x, size.y, size.z)


def _boxes(rows: list[tuple]) -> Boxes:
    if not rows:
        return Boxes.empty()
    centre, size, yaw, velocity, label, score, number = zip(*rows, strict=True)
    return Boxes(np.array(centre, np.float64), np.array(size, np.float64), np.array(yaw), np.array(velocity),
                 np.array(label, np.int64), np.array(score, np.float64), np.array(number, np.int64))


def _uncertainty(tracked: Sequence[TrackedObject], boxes: Boxes) -> TrackUncertainty:
    """Return what covariances state, in the axes of the map."""
    result = TrackUncertainty.unknown(len(boxes))
    pose = _covariances([t.kinematics.pose_with_covariance.covariance for t in tracked])
    twist = _covariances([t.kinematics.twist_with_covariance.covariance for t in tracked])[:, :2, :2]
    rows = np.flatnonzero(pose[:, :3, :3].any((1, 2)))
    place, about_up, twist = pose[rows, :3, :3], pose[rows, _YAW, _YAW], twist[rows]
    if (about_up < 0).any():
        raise WireError('implausible', 'a yaw has a negative variance')
    has_sign = np.array([t.kinematics.orientation_availability == TrackedObjectKinematics.AVAILABLE for t in tracked],
                        bool)
    c, s = np.cos(boxes.yaw[rows]), np.sin(boxes.yaw[rows])
    turn = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    result.existence[rows], result.position[rows] = boxes.score[rows], believed(place)
    result.flip[rows] = np.where(has_sign[rows], 0.0, 0.5)
    result.heading[rows] = np.where(about_up == 0, np.pi ** 2, np.maximum(about_up, LEAST_STD_RAD ** 2))
    result.size[rows] = NOT_STATED
    result.velocity[rows] = np.where(twist.any((1, 2))[:, None, None], turn @ believed(twist) @ turn.swapaxes(1, 2),
                                     NOT_STATED * np.eye(2))
    return result


def _covariances(values: list[np.ndarray]) -> np.ndarray:
    return finite(np.array(values, np.float64).reshape(-1, 6, 6), 'covariance')
