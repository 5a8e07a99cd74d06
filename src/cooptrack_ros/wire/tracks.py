"""Tracks as ``cooptrack_msgs/TrackArray``."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from cooptrack_msgs.msg import Track, TrackArray

from ..common.errors import WireError
from ..common.geometry import nearest_rotation, transform_boxes
from ..common.types import Boxes, Frame, Match, Provenance, RoadsideMessage
from ..common.uncertainty import TrackUncertainty
from ..cooperation.compensation import MAX_AGE_S, MIN_AGE_S, predict
from ..tracking.ego_agent import EgoResult
from .arrays import set_stamp, stamp_ns
from .uncertainty import decode_uncertainty, set_uncertainty, uncertainty_in_map

_PROVENANCE = {Provenance.EGO: Track.EGO, Provenance.ROADSIDE: Track.ROADSIDE, Provenance.FUSED: Track.FUSED}


@dataclass(frozen=True)
class TrackMeta:
    """Everything of a TrackArray besides the tracks; ``class_names`` are those of their labels."""

    stamp_ns: int
    lidar_frame: str
    mode: str
    model_id: str
    map_frame: str
    map_from_lidar: np.ndarray
    class_names: tuple[str, ...]
    reset: bool = False
    infra_age_s: float | None = None
    infra_count: int = 0


def ego_meta(result: EgoResult, messages: Sequence[RoadsideMessage], frame: Frame, lidar_frame: str, model_id: str,
             map_frame: str, class_names: tuple[str, ...]) -> TrackMeta:
    """
    Return what the vehicle says of a frame besides the tracks.

    :param messages: all that were used for it; :param class_names: of its model.
    """
    age = max((frame.stamp_ns - m.stamp_ns) / 1e9 for m in messages) if messages else None
    return TrackMeta(frame.stamp_ns, lidar_frame, result.mode, model_id, map_frame, frame.global_from_lidar,
                     class_names, result.output.reset, age, sum(len(m.instances) for m in messages))


def encode_detections(boxes: Boxes, meta: TrackMeta) -> TrackArray:
    """Return boxes without identities as the message of one frame."""
    none = np.zeros(len(boxes), np.int64)
    return encode_tracks(boxes.with_(track_id=none), meta, none.astype(float), none, {})


def encode_tracks(boxes: Boxes, meta: TrackMeta, age_s: np.ndarray, provenance: np.ndarray,
                  matches: dict[int, Match], missed_frames: np.ndarray | None = None,
                  uncertainty: TrackUncertainty | None = None) -> TrackArray:
    """
    Return the message of one frame.

    :param age_s: (N,) seconds since the first frame of each identity; :param provenance: (N,) of ``Provenance``.
    :param matches: by track id, what was fused into it in this frame; :param missed_frames: (N,), None for zeros.
    :param uncertainty: of the N boxes; None where nothing is known of it.
    """
    msg = TrackArray()
    set_stamp(msg.header.stamp, meta.stamp_ns)
    msg.header.frame_id, msg.mode, msg.model_id, msg.map_frame = (
        meta.lidar_frame, meta.mode, meta.model_id, meta.map_frame)
    msg.map_from_lidar = meta.map_from_lidar.reshape(16)
    msg.reset, msg.has_infra, msg.infra_count = meta.reset, meta.infra_age_s is not None, meta.infra_count
    msg.infra_age_s = float(meta.infra_age_s or 0.0)
    missed = np.zeros(len(boxes), np.int64) if missed_frames is None else missed_frames
    # As lists: reading one number after the other from arrays takes longer than making the messages.
    columns = (boxes.track_id, boxes.label, boxes.score, provenance, age_s, missed, boxes.centre, boxes.size,
               np.sin(boxes.yaw / 2), np.cos(boxes.yaw / 2), boxes.velocity, np.isfinite(boxes.velocity).all(1))
    msg.tracks = [_track(*row, matches.get(row[0]), meta.class_names)
                  for row in zip(*(c.tolist() for c in columns), strict=True)]
    if uncertainty is not None:
        set_uncertainty(msg.tracks, uncertainty)
    return msg


def _track(number: int, label: int, score: float, provenance: int, age_s: float, missed: int, centre: list[float],
           size: list[float], sine: float, cosine: float, velocity: list[float], has_velocity: bool,
           match: Match | None, class_names: Sequence[str]) -> Track:
    track = Track(id=number, label=label, class_name=class_names[label], score=score, age_s=age_s,
                  provenance=_PROVENANCE[provenance], missed_frames=missed, has_velocity=has_velocity)
    position, orientation = track.pose.position, track.pose.orientation
    position.x, position.y, position.z = centre
    orientation.z, orientation.w = sine, cosine
    track.size.x, track.size.y, track.size.z = size
    if has_velocity:
        track.velocity.x, track.velocity.y = velocity
    if match is not None:
        track.unit_id, track.infra_track_id, track.affinity = match.unit_id, match.infra_track_id, match.affinity
    return track


def decode_tracks(msg: TrackArray) -> Boxes:
    """Return the boxes of a TrackArray in the frame of its header."""
    tracks = msg.tracks
    if not tracks:
        return Boxes.empty()
    values = np.array([[t.pose.position.x, t.pose.position.y, t.pose.position.z, t.size.x, t.size.y, t.size.z,
                        2 * np.arctan2(t.pose.orientation.z, t.pose.orientation.w),
                        *((t.velocity.x, t.velocity.y) if t.has_velocity else (np.nan, np.nan))] for t in tracks])
    return Boxes(values[:, :3], values[:, 3:6], values[:, 6], values[:, 7:9],
                 np.array([t.label for t in tracks], np.int64), np.array([t.score for t in tracks], np.float64),
                 np.array([t.id for t in tracks], np.int64))


def tracks_in_map(msg: TrackArray) -> Boxes:
    """Return the boxes of a TrackArray in the map frame that it names, at its stamp."""
    return transform_boxes(np.array(msg.map_from_lidar, np.float64).reshape(4, 4), decode_tracks(msg))


def predict_tracks(msg: TrackArray, now_ns: int) -> TrackArray:
    """
    Return the tracks at a time, moved by their velocity, in the map frame.

    The map, because where the lidar is at that time is not known yet. Everything else is as in the frame.

    :raises WireError: if the time is so far away that a constant velocity says nothing.
    """
    dt_s = (now_ns - stamp_ns(msg.header.stamp)) / 1e9
    if not MIN_AGE_S <= dt_s <= MAX_AGE_S:
        raise WireError('implausible_age', f'the clock of the node is {dt_s:.3f} s after the image, expected '
                        f'{MIN_AGE_S} to {MAX_AGE_S} s (recorded data needs use_sim_time)')
    result = _at(msg, predict(tracks_in_map(msg), dt_s), uncertainty_in_map(msg).moved(dt_s), msg.map_frame, np.eye(4))
    set_stamp(result.header.stamp, now_ns)
    for track in result.tracks:
        track.age_s += dt_s
    return result


def in_frame(msg: TrackArray, frame: str, frame_from_lidar: np.ndarray) -> TrackArray:
    """Return the tracks in another frame, whose z axis points up; :param frame_from_lidar: 4x4, from the header's."""
    map_from_lidar = np.array(msg.map_from_lidar, np.float64).reshape(4, 4)
    return _at(msg, transform_boxes(frame_from_lidar, decode_tracks(msg)),
               decode_uncertainty(msg).rotated(nearest_rotation(frame_from_lidar[:3, :3])), frame,
               map_from_lidar @ np.linalg.inv(frame_from_lidar))


def _at(msg: TrackArray, boxes: Boxes, uncertainty: TrackUncertainty, frame: str,
        map_from_frame: np.ndarray) -> TrackArray:
    """Return a copy of a message whose tracks stand where N boxes do, as surely as is stated, both in ``frame``."""
    result = deepcopy(msg)
    result.header.frame_id, result.map_from_lidar = frame, map_from_frame.reshape(-1)
    columns = boxes.centre, np.sin(boxes.yaw / 2), np.cos(boxes.yaw / 2), np.nan_to_num(boxes.velocity)
    for track, centre, sine, cosine, velocity in zip(result.tracks, *(c.tolist() for c in columns), strict=True):
        position, orientation = track.pose.position, track.pose.orientation
        position.x, position.y, position.z = centre
        orientation.z, orientation.w = sine, cosine
        track.velocity.x, track.velocity.y = velocity
    set_uncertainty(result.tracks, uncertainty)
    return result
