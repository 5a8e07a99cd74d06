"""Covariances and probabilities in messages: our own fields of a track, and the matrices of common types."""

from __future__ import annotations

import numpy as np

from cooptrack_msgs.msg import Track, TrackArray

from ..common.geometry import nearest_rotation
from ..common.uncertainty import TrackUncertainty


def set_uncertainty(tracks: list[Track], stated: TrackUncertainty) -> None:
    """Enter what is stated of tracks, in the frame that their poses are in; what is not known stays 0."""
    rows = np.flatnonzero(stated.known)
    if not len(rows):
        return
    known = stated[rows]
    # All at once: the same one track after the other takes longer than making the messages.
    numbers = (rows, known.existence, known.flip, known.heading, np.isfinite(known.velocity).all((1, 2)))
    arrays = (known.position, known.size, known.velocity)
    for i, existence, flip, heading, moves, position, size, velocity in zip(
            *(n.tolist() for n in numbers), *(a.reshape(len(rows), -1).astype(np.float32) for a in arrays),
            strict=True):
        track = tracks[i]
        track.has_uncertainty = True
        track.existence, track.flip_probability, track.heading_variance = existence, flip, heading
        track.position_covariance, track.size_variance = position, size
        if moves and track.has_velocity:
            track.velocity_covariance = velocity


def decode_uncertainty(msg: TrackArray) -> TrackUncertainty:
    """Return what a message states of its tracks, in the frame of its header."""
    result = TrackUncertainty.unknown(len(msg.tracks))
    rows = np.array([i for i, track in enumerate(msg.tracks) if track.has_uncertainty], np.int64)
    if not len(rows):
        return result
    stated = [msg.tracks[i] for i in rows]
    return result.with_rows(rows, TrackUncertainty(
        np.array([t.existence for t in stated], np.float64),
        np.array([t.position_covariance for t in stated], np.float64).reshape(-1, 3, 3),
        np.array([t.heading_variance for t in stated], np.float64),
        np.array([t.flip_probability for t in stated], np.float64),
        np.array([t.size_variance for t in stated], np.float64).reshape(-1, 3),
        np.array([t.velocity_covariance for t in stated], np.float64).reshape(-1, 2, 2)))


def uncertainty_in_map(msg: TrackArray) -> TrackUncertainty:
    """Return the same in the axes of the map frame that a message names."""
    map_from_lidar = np.array(msg.map_from_lidar, np.float64).reshape(4, 4)
    return decode_uncertainty(msg).rotated(nearest_rotation(map_from_lidar[:3, :3]))


def pose_covariance(position: np.ndarray, heading: float) -> np.ndarray:
    """
    Return the row-major 6x6 (36,) of ``geometry_msgs/PoseWithCovariance``.

    Boxes stand upright: roll and pitch are 0 with a variance of 0.
    """
    matrix = np.zeros((6, 6))
    matrix[:3, :3], matrix[5, 5] = position, heading
    return matrix.reshape(-1)


def twist_covariance(velocity: np.ndarray, yaw: float) -> np.ndarray:
    """Return the 6x6 (36,) of a ``TwistWithCovariance`` in the axes of a box; :param velocity: 2x2, as its yaw is."""
    c, s = np.cos(yaw), np.sin(yaw)
    object_from_frame = np.array([[c, s], [-s, c]])
    matrix = np.zeros((6, 6))
    matrix[:2, :2] = object_from_frame @ velocity @ object_from_frame.T
    return matrix.reshape(-1)
