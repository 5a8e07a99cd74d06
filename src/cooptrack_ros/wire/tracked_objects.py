"""Tracks as ``autoware_perception_msgs/TrackedObjects``, for planners that know Autoware's types."""

from __future__ import annotations

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

from ..common.uncertainty import TrackUncertainty
from .tracks import tracks_in_map
from .uncertainty import pose_covariance, twist_covariance, uncertainty_in_map

_LABELS = {
    'car': ObjectClassification.CAR, 'van': ObjectClassification.CAR, 'truck': ObjectClassification.TRUCK,
    'bus': ObjectClassification.BUS, 'trailer': ObjectClassification.TRAILER,
    'motorcycle': ObjectClassification.MOTORCYCLE, 'motorcyclist': ObjectClassification.MOTORCYCLE,
    'bicycle': ObjectClassification.BICYCLE, 'cyclist': ObjectClassification.BICYCLE,
    'pedestrian': ObjectClassification.PEDESTRIAN}
"""By class name of a model; any other is UNKNOWN."""
_SURE_OF_SIGN = 0.05
"""Headings that are opposite more often than this have no sign: what is stated is to hold in 95 % of cases."""


def to_tracked_objects(msg: TrackArray, session: UUID) -> TrackedObjects:
    """
    Return the tracks in the map frame at the stamp of the image, in the same order.

    The velocity is that over ground, in the axes of the object itself: x along its heading, so an object that drives
    backwards has a negative one. Rates of turn are not known and stay 0. So do covariances where the model states none;
    the probability of existence is the score there. Where a heading may well be opposite, its sign counts as unknown.

    :param session: the time in which numbers of tracks mean the same objects; UUIDs are made of both.
    """
    boxes = tracks_in_map(msg)
    cosine, sine = np.cos(boxes.yaw), np.sin(boxes.yaw)
    x, y = np.nan_to_num(boxes.velocity).T
    along = np.column_stack([cosine * x + sine * y, cosine * y - sine * x])
    result = TrackedObjects()
    result.header.stamp, result.header.frame_id = msg.header.stamp, msg.map_frame
    columns = boxes.centre, boxes.yaw, along
    result.objects = [_object(track, session, *row)
                      for track, *row in zip(msg.tracks, *(c.tolist() for c in columns), strict=True)]
    stated = uncertainty_in_map(msg)
    for i in np.flatnonzero(stated.known):
        _state(result.objects[i], stated[i], boxes.yaw[i], msg.tracks[i].has_velocity)
    return result


def _object(track: Track, session: UUID, centre: list[float], yaw: float, velocity: list[float]) -> TrackedObject:
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
    return result


def _state(target: TrackedObject, stated: TrackUncertainty, yaw: float, has_velocity: bool) -> None:
    """Enter what is stated of one track, in the axes of the map."""
    kinematics = target.kinematics
    target.existence_probability = float(stated.existence)
    kinematics.pose_with_covariance.covariance = pose_covariance(stated.position, float(stated.heading))
    if stated.flip > _SURE_OF_SIGN:
        kinematics.orientation_availability = TrackedObjectKinematics.SIGN_UNKNOWN
    if has_velocity:
        kinematics.twist_with_covariance.covariance = twist_covariance(stated.velocity, yaw)
