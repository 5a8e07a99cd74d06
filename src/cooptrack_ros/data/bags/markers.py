"""The markers of a recorded bag, with what is needed to draw them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import UserError, WireError
from ...wire.arrays import stamp_ns
from ...wire.images import decode_image
from ...wire.topics import CALIBRATION, IMAGE, find_images, tracks_topic
from ...wire.video import VideoStream, seen_in
from .reader import BagReader

_IMAGES = 30
"""So many images are kept until the markers of their stamps come."""


@dataclass(frozen=True)
class MarkerFrame:
    """
    The markers of one MarkerArray, and the frames that they may be in.

    ``lidar_from`` holds, by frame, the 4x4 matrix to the lidar frame of the agent. ``image`` (H, W, 3) BGR is None if
    it is not in the bag, or cannot be decoded; ``img_from_lidar`` (4, 4) projects into it.
    """

    stamp_ns: int
    markers: list[Any]
    lidar_from: dict[str, np.ndarray]
    image: np.ndarray | None
    img_from_lidar: np.ndarray | None


def read_markers(path: Path, node: str) -> Iterator[MarkerFrame]:
    """
    Yield what a node published as markers, in order of time; empty messages are left out.

    :param node: full name, such as ``/ego/ego_node``; its namespace has the camera.
    :raises UserError: if there is no readable bag, or no markers of this node in it.
    """
    namespace = node.rpartition('/')[0]
    images_on, stream = _images_on(path, namespace), VideoStream()
    tracks = {stamp_ns(m.header.stamp): m for _, m in _messages(path, tracks_topic(node))}
    calibration = next((m for _, m in _messages(path, f'{namespace}/{CALIBRATION}')), None)
    projection = None if calibration is None else np.vstack([calibration.img_from_lidar.reshape(3, 4), [0, 0, 0, 1]])
    own = {}
    if calibration is not None and np.linalg.det(calibration.base_from_lidar.reshape(4, 4)):
        own[calibration.base_frame] = np.linalg.inv(calibration.base_from_lidar.reshape(4, 4))
    images: OrderedDict[int, Any] = OrderedDict()
    found = False
    for topic, message in _messages(path, images_on, f'{node}/output/markers'):
        if topic == images_on:
            for image in seen_in(message, stream):
                images[stamp_ns(image.header.stamp)] = image
            while len(images) > _IMAGES:
                images.popitem(last=False)
            continue
        found = True
        if not message.markers:
            continue
        stamp = stamp_ns(message.markers[0].header.stamp)
        if stamp not in tracks:
            continue
        lidar_from = {tracks[stamp].header.frame_id: np.eye(4),
                      tracks[stamp].map_frame: np.linalg.inv(tracks[stamp].map_from_lidar.reshape(4, 4))} | own
        image = _decoded(images[stamp]) if stamp in images else None
        yield MarkerFrame(stamp, message.markers, lidar_from, image, projection)
    if not found:
        raise UserError(f'{path} holds no message on {node}/output/markers')


def _images_on(path: Path, namespace: str) -> str:
    """Return the topic of the images of an agent, the usual one if there are none."""
    with BagReader(path) as reader:
        found = find_images(namespace, (c.topic for c in reader.connections))
    return found[0] if found else f'{namespace}/{IMAGE}'


def _decoded(message: Any) -> np.ndarray | None:
    try:
        return decode_image(message)
    except WireError:
        return None


def _messages(path: Path, *topics: str) -> Iterator[tuple[str, Any]]:
    with BagReader(path) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic in topics]):
            yield connection.topic, reader.deserialize(connection, raw)
