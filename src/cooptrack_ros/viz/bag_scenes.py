"""Scenes of a recorded bag: what the ego node published, with the images that it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import UserError, WireError
from ..common.geometry import transform_boxes
from ..common.types import Boxes, Provenance
from ..data.bags.reader import BagReader
from ..data.bags.recording import usable
from ..wire.arrays import matrix, stamp_ns
from ..wire.features import decode_instances
from ..wire.images import decode_image
from ..wire.poses import check_plausible_pose
from ..wire.topics import (
    EGO_NAMESPACE,
    calibration_topic,
    find_images,
    is_features_topic,
    split_unit_topic,
    tracks_topic,
    unit_namespace,
)
from ..wire.tracks import decode_tracks
from ..wire.video import VideoStream, seen_in
from .recording_scenes import extend_trails
from .scene import CameraView, RoadsideUnit, SceneView

_KEPT = 30
"""So many images of a camera are kept until the tracks of their stamps come."""


@dataclass
class _Camera:
    """A camera of an agent: its projection (4, 4), and its latest images by stamp."""

    agent: str
    img_from_lidar: np.ndarray
    images: dict[int, Any] = field(default_factory=dict)
    stream: VideoStream = field(default_factory=VideoStream)

    def put(self, message: Any) -> None:
        for image in seen_in(message, self.stream):
            self.images[stamp_ns(image.header.stamp)] = image
        while len(self.images) > _KEPT:
            del self.images[next(iter(self.images))]

    def view(self, stamp: int) -> CameraView | None:
        """Return the latest image that is not after a stamp; None if there is none, or it cannot be decoded."""
        known = [s for s in self.images if s <= stamp]
        try:
            return CameraView(decode_image(self.images[max(known)]), self.img_from_lidar) if known else None
        except WireError:
            return None


def bag_scenes(path: Path) -> Iterator[tuple[int, SceneView]]:
    """
    Yield stamp and scene of each message of tracks, in order of time.

    Whatever else the bag lacks is left out of the scenes: images without a ``Calibration``, units without features.

    :raises UserError: if there is no readable bag, or no tracks of the ego node in it.
    """
    past: dict[int, list[np.ndarray]] = {}
    sent: dict[str, tuple[Boxes, np.ndarray]] = {}
    count = 0
    topic_of_tracks = tracks_topic()
    with BagReader(path) as reader:
        cameras = _cameras(reader)
        wanted = [c for c in reader.connections
                  if c.topic in cameras or c.topic == topic_of_tracks or is_features_topic(c.topic)]
        for connection, _, raw in reader.messages(wanted):
            message = reader.deserialize(connection, raw)
            if connection.topic in cameras:
                cameras[connection.topic].put(message)
            elif connection.topic == topic_of_tracks:
                count += 1
                with usable(path, topic_of_tracks):
                    scene = _scene(message, sent, list(cameras.values()), past)
                yield stamp_ns(message.header.stamp), scene
            else:
                try:
                    instances, meta = decode_instances(message)
                    sent[split_unit_topic(connection.topic)[0]] = (instances.boxes, meta.map_from_lidar)
                except WireError:
                    # Nodes refuse it too.
                    continue
    if not count:
        raise UserError(f'{path} holds no message on {topic_of_tracks}: it is not a recording of the ego node')


def _cameras(reader: BagReader) -> dict[str, _Camera]:
    """Return the cameras with calibration by topic of their images."""
    found, topics = {}, {c.topic for c in reader.connections}
    wanted = [c for c in reader.connections if c.msgtype == 'cooptrack_msgs/msg/Calibration']
    for connection, _, raw in reader.messages(wanted):
        agent, _, camera = connection.topic.removesuffix(calibration_topic('')).rpartition('/')
        projection = np.asarray(reader.deserialize(connection, raw).img_from_lidar, np.float64).reshape(3, 4)
        images = find_images(agent, topics, camera)
        if images is not None:
            found.setdefault(images[0], _Camera(agent, np.vstack([projection, [0, 0, 0, 1]])))
    return found


def _scene(message: Any, sent: dict[str, tuple[Boxes, np.ndarray]], cameras: list[_Camera],
           past: dict[int, list[np.ndarray]]) -> SceneView:
    stamp, map_from_lidar = stamp_ns(message.header.stamp), matrix(message.map_from_lidar, 'map_from_lidar')
    if any(t.provenance not in iter(Provenance) for t in message.tracks):
        raise WireError('implausible', f'a provenance is not one of {", ".join(p.name for p in Provenance)}')
    check_plausible_pose(map_from_lidar, 'map_from_lidar')
    lidar_from_map = np.linalg.inv(map_from_lidar)
    tracks = decode_tracks(message)
    units, received, row_of = [], [], {}
    for name, (boxes, map_from_infra) in sorted(sent.items()):
        ego_from_infra = lidar_from_map @ map_from_infra
        row_of |= {(name, i): len(row_of) + k for k, i in enumerate(boxes.track_id.tolist())}
        received.append(transform_boxes(ego_from_infra, boxes))
        units.append(RoadsideUnit(name, _views(cameras, unit_namespace(name), stamp), ego_from_infra))
    # A message that came after the frame began may have taken the place of the one that was fused.
    links = tuple((row, row_of[t.unit_id, t.infra_track_id], float(t.affinity)) for row, t in enumerate(message.tracks)
                  if (t.unit_id, t.infra_track_id) in row_of)
    if message.reset:
        past.clear()
    return SceneView(
        ground_truth=Boxes.empty(), tracks=tracks, infra=Boxes.concatenate(received) if received else Boxes.empty(),
        provenance=np.array([t.provenance for t in message.tracks], np.int64), links=links,
        ego_cameras=_views(cameras, EGO_NAMESPACE, stamp), units=tuple(units), world_from_ego_lidar=map_from_lidar,
        trails=extend_trails(past, transform_boxes(map_from_lidar, tracks)))


def _views(cameras: list[_Camera], agent: str, stamp: int) -> tuple[CameraView, ...]:
    views = (c.view(stamp) for c in cameras if c.agent == agent)
    return tuple(v for v in views if v is not None)
