"""What crossed the topics of a recorded bag, as plain arrays per stamp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UserError
from ..core.types import Boxes
from .bag_reader import BagReader

EGO_NODE = '/ego/ego_node'


@dataclass(frozen=True)
class TrackFrame:
    """
    One published TrackArray: N tracks in the lidar frame of the agent.

    ``provenance`` (N,) holds the constants of the Track message; ``infra_track_id`` (N,) is -1 and ``affinity``
    (N,) is 0 where nothing was fused in this frame. ``map_from_lidar`` is 4x4.
    """

    stamp_ns: int
    mode: str
    tracks: Boxes
    provenance: np.ndarray
    infra_track_id: np.ndarray
    affinity: np.ndarray
    map_from_lidar: np.ndarray


@dataclass(frozen=True)
class FeatureFrame:
    """What a unit sent for one stamp: boxes in its lidar frame and the size of the serialized message."""

    boxes: Boxes
    serialized_bytes: int


@dataclass(frozen=True)
class PairFrame:
    """Roadside stamp that belongs to an ego stamp, with the exact relation (4x4)."""

    infra_stamp_ns: int
    ego_from_infra: np.ndarray


@dataclass
class Recording:
    """
    Content of a recorded bag by stamp in nanoseconds; ``features`` has roadside stamps, the others ego stamps.

    ``latency_s`` is, per ego frame, the time from the picture's arrival to the tracks' departure in the node.
    """

    tracks: dict[int, TrackFrame] = field(default_factory=dict)
    detections: dict[int, Boxes] = field(default_factory=dict)
    features: dict[int, FeatureFrame] = field(default_factory=dict)
    latency_s: dict[int, float] = field(default_factory=dict)


def read_recording(path: Path, unit: str = 'rsu_1', ego_node: str = EGO_NODE) -> Recording:
    """
    Read what the ego node and one roadside unit published.

    :raises UserError: if there is no readable bag, or the ego node's tracks are not in it.
    """
    recording = Recording()
    readers = {
        f'{ego_node}/output/tracks': lambda stamp, m, raw: recording.tracks.update({stamp: _track_frame(stamp, m)}),
        f'{ego_node}/output/detections': lambda stamp, m, raw: recording.detections.update({stamp: _boxes(m.tracks)}),
        f'{ego_node}/debug/latency': lambda stamp, m, raw: recording.latency_s.update({stamp: float(m.total_s)}),
        f'/infra/{unit}/features': lambda stamp, m, raw: recording.features.update(
            {stamp: FeatureFrame(_feature_boxes(m), len(raw))}),
    }
    for topic, message, raw in _messages(path, set(readers)):
        readers[topic](_nanoseconds(message.header.stamp), message, raw)
    if not recording.tracks:
        raise UserError(f'{path} holds no message on {ego_node}/output/tracks: it is not a recording of the ego node')
    return recording


def read_pairs(path: Path, unit: str = 'rsu_1') -> dict[int, PairFrame]:
    """
    Read the pairs of a converted bag, by ego stamp in nanoseconds.

    :raises UserError: if there is no readable bag.
    """
    pairs = {}
    for _, m, _ in _messages(path, {f'/infra/{unit}/pair'}):
        pairs[_nanoseconds(m.header.stamp)] = PairFrame(
            _nanoseconds(m.infra_stamp), np.asarray(m.ego_from_infra, np.float64).reshape(4, 4))
    return pairs


def _messages(path: Path, topics: set[str]) -> Iterator[tuple[str, Any, bytes]]:
    with BagReader(path) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic in topics]):
            yield connection.topic, reader.deserialize(connection, raw), raw


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 10 ** 9 + int(stamp.nanosec)


def _track_frame(stamp_ns: int, message: Any) -> TrackFrame:
    tracks = message.tracks
    fused = [bool(t.unit_id) for t in tracks]
    return TrackFrame(
        stamp_ns, message.mode, _boxes(tracks), np.array([t.provenance for t in tracks], np.int64),
        np.array([t.infra_track_id if f else -1 for t, f in zip(tracks, fused)], np.int64),
        np.array([t.affinity if f else 0.0 for t, f in zip(tracks, fused)], np.float64),
        np.asarray(message.map_from_lidar, np.float64).reshape(4, 4))


def _boxes(tracks: list[Any]) -> Boxes:
    if not tracks:
        return Boxes.empty()
    rows = np.array([
        [t.pose.position.x, t.pose.position.y, t.pose.position.z, t.size.x, t.size.y, t.size.z,
         2 * np.arctan2(t.pose.orientation.z, t.pose.orientation.w),
         *((t.velocity.x, t.velocity.y) if t.has_velocity else (np.nan, np.nan)), t.score] for t in tracks])
    return Boxes(rows[:, :3], rows[:, 3:6], rows[:, 6], rows[:, 7:9], np.array([t.label for t in tracks], np.int64),
                 rows[:, 9], np.array([t.id for t in tracks], np.int64))


def _feature_boxes(message: Any) -> Boxes:
    rows = np.asarray(message.boxes, np.float64).reshape(-1, 9)
    return Boxes(rows[:, :3], rows[:, 3:6], rows[:, 6], rows[:, 7:9], np.asarray(message.labels, np.int64),
                 np.asarray(message.scores, np.float64), np.asarray(message.track_ids, np.int64))
