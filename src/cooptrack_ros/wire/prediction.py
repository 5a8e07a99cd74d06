"""Published tracks at a later time."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from cooptrack_msgs.msg import TrackArray

from ..common.geometry import transform_boxes
from ..cooperation.compensation import MAX_AGE_S, MIN_AGE_S
from ..tracking.prediction import predict
from .arrays import set_stamp, stamp_ns
from .errors import WireError
from .tracks import decode_tracks


def predict_tracks(msg: TrackArray, now_ns: int) -> TrackArray:
    """
    Return the tracks at a time, moved by their velocity, in the map frame.

    The map, because where the lidar is at that time is not known yet. Everything else is as in the frame.

    :raises WireError: if the time is so far away that a constant velocity says nothing.
    """
    dt_s = (now_ns - stamp_ns(msg.header.stamp)) / 1e9
    if not MIN_AGE_S <= dt_s <= MAX_AGE_S:
        raise WireError('implausible_age', f'the clock of the node is {dt_s:.3f} s after the picture, expected '
                        f'{MIN_AGE_S} to {MAX_AGE_S} s (recorded data needs use_sim_time)')
    map_from_lidar = np.array(msg.map_from_lidar, np.float64).reshape(4, 4)
    boxes = predict(transform_boxes(map_from_lidar, decode_tracks(msg)), dt_s)
    result = deepcopy(msg)
    set_stamp(result.header.stamp, now_ns)
    result.header.frame_id = msg.map_frame
    result.map_from_lidar = np.eye(4).reshape(-1)
    for i, track in enumerate(result.tracks):
        position, orientation = track.pose.position, track.pose.orientation
        position.x, position.y, position.z = (float(v) for v in boxes.centre[i])
        orientation.z, orientation.w = float(np.sin(boxes.yaw[i] / 2)), float(np.cos(boxes.yaw[i] / 2))
        track.velocity.x, track.velocity.y = (float(v) for v in np.nan_to_num(boxes.velocity[i]))
        track.age_s += dt_s
    return result
