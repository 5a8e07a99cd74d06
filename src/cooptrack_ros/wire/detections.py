"""Tracks as ``vision_msgs/Detection3DArray``, for programs that do not know our messages."""

from __future__ import annotations

import numpy as np
from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose

from cooptrack_msgs.msg import Track, TrackArray

from .uncertainty import decode_uncertainty, pose_covariance


def to_detections(msg: TrackArray) -> Detection3DArray:
    """
    Return the tracks with the same header, in the same order.

    ``id`` is the number of the track, ``class_id`` the name of its class. Velocity, provenance, age and the probability
    of existence have no place there; the covariance of the pose is 0 where it is not known.
    """
    result = Detection3DArray(header=msg.header, detections=[_detection(track, msg.header) for track in msg.tracks])
    stated = decode_uncertainty(msg)
    for i in np.flatnonzero(stated.known):
        result.detections[i].results[0].pose.covariance = pose_covariance(stated.position[i], stated.heading[i])
    return result


def _detection(track: Track, header) -> Detection3D:
    detection = Detection3D(header=header, id=str(track.id))
    detection.bbox.center, detection.bbox.size = track.pose, track.size
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = track.class_name, track.score
    result.pose.pose = track.pose
    detection.results.append(result)
    return detection
