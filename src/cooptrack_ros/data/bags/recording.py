"""What crossed the topics of a recorded bag, as plain arrays per stamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import UserError, WireError
from ...common.types import Boxes
from ...occupancy.sparse import Occupied
from ...wire.arrays import stamp_ns
from ...wire.features import decode_boxes
from ...wire.occupancy import decode_occupancy
from ...wire.poses import decode_pair
from ...wire.topics import EGO_NODE, PAIR, features_topic, tracks_topic, unit_topic, voxels_topic
from ...wire.tracks import decode_tracks
from .reader import BagReader


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

    ``latency_s`` is, per ego frame, the time from the image's arrival to the tracks' departure in the node.
    """

    tracks: dict[int, TrackFrame] = field(default_factory=dict)
    detections: dict[int, Boxes] = field(default_factory=dict)
    features: dict[int, FeatureFrame] = field(default_factory=dict)
    latency_s: dict[int, float] = field(default_factory=dict)


def read_recording(path: Path, unit: str = 'rsu_1', ego_node: str = EGO_NODE) -> Recording:
    """
    Read what the ego node and one roadside unit published.

    :raises UserError: if there is no readable bag, the ego node's tracks are not in it, or a message of the unit is
        one that nodes refuse.
    """
    recording = Recording()
    readers = {
        tracks_topic(ego_node): lambda stamp, m, raw: recording.tracks.update({stamp: _track_frame(stamp, m)}),
        f'{ego_node}/output/detections': lambda stamp, m, raw: recording.detections.update({stamp: decode_tracks(m)}),
        f'{ego_node}/debug/latency': lambda stamp, m, raw: recording.latency_s.update({stamp: float(m.total_s)}),
        features_topic(unit): lambda stamp, m, raw: recording.features.update(
            {stamp: FeatureFrame(decode_boxes(m), len(raw))}),
    }
    for topic, message, raw in _messages(path, set(readers)):
        with usable(path, topic):
            readers[topic](stamp_ns(message.header.stamp), message, raw)
    if not recording.tracks:
        raise UserError(f'{path} holds no message on {tracks_topic(ego_node)}: it is not a recording of the ego node')
    return recording


def read_pairs(path: Path, unit: str = 'rsu_1') -> dict[int, PairFrame]:
    """
    Read the pairs of a converted bag, by ego stamp in nanoseconds.

    :raises UserError: if there is no readable bag, or a relation in it is none.
    """
    pairs = {}
    topic = unit_topic(unit, PAIR)
    for _, message, _ in _messages(path, {topic}):
        with usable(path, topic):
            ego_ns, infra_ns, ego_from_infra = decode_pair(message)
        pairs[ego_ns] = PairFrame(infra_ns, ego_from_infra)
    return pairs


def read_voxels(path: Path, node: str = EGO_NODE) -> dict[int, Occupied]:
    """
    Read the voxels that a node published, by stamp in nanoseconds.

    :raises UserError: if there is no readable bag, or a message in it cannot be used.
    """
    frames, topic = {}, voxels_topic(node)
    for _, message, _ in _messages(path, {topic}):
        with usable(path, topic):
            frames[stamp_ns(message.header.stamp)] = decode_occupancy(message)[0]
    return frames


def read_sizes(path: Path, topic: str) -> dict[int, int]:
    """Return the bytes of the messages of a topic, by stamp in nanoseconds."""
    return {stamp_ns(message.header.stamp): len(raw) for _, message, raw in _messages(path, {topic})}


def _messages(path: Path, topics: set[str]) -> Iterator[tuple[str, Any, bytes]]:
    with BagReader(path) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic in topics]):
            yield connection.topic, reader.deserialize(connection, raw), raw


@contextmanager
def usable(path: Path, topic: str) -> Iterator[None]:
    """Report what is wrong with a message of a bag as an error that names both."""
    try:
        yield
    except WireError as error:
        raise UserError(f'{path} holds a message on {topic} that cannot be used: {error}') from error


def _track_frame(stamp_ns: int, message: Any) -> TrackFrame:
    tracks = message.tracks
    fused = [bool(t.unit_id) for t in tracks]
    return TrackFrame(
        stamp_ns, message.mode, decode_tracks(message), np.array([t.provenance for t in tracks], np.int64),
        np.array([t.infra_track_id if f else -1 for t, f in zip(tracks, fused)], np.int64),
        np.array([t.affinity if f else 0.0 for t, f in zip(tracks, fused)], np.float64),
        np.asarray(message.map_from_lidar, np.float64).reshape(4, 4))
