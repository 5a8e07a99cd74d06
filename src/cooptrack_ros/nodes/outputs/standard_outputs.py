"""Publishes tracks under types that other programs know, each where its package is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID, uuid4

from rclpy.node import Node
from rclpy.publisher import Publisher

from cooptrack_msgs.msg import TrackArray

from ...tracking.track_history import TurnRates
from ...wire.arrays import stamp_ns
from ...wire.tracks import tracks_in_map
from ..qos import OUTPUT
from .output_frame import OutputFrame

_VISION, _AUTOWARE = 'vision_msgs', 'autoware_perception_msgs'


class StandardOutputs:
    """Converts only while somebody subscribes; without a package there is no topic, and one line in the log."""

    def __init__(self, node: Node, frame: OutputFrame, new_session: Callable[[], UUID] = uuid4):
        """
        Create the publishers whose types are there.

        :param frame: that tracks are given in; :param new_session: names the time until identities restart.
        """
        self._detections = _publisher(node, _VISION, 'Detection3DArray', '~/output/detections_3d')
        self._objects = _publisher(node, _AUTOWARE, 'TrackedObjects', '~/output/tracked_objects')
        self._frame, self._new_session = frame, new_session
        self._session: UUID | None = None
        self._rates = TurnRates()

    def publish(self, tracks: TrackArray) -> None:
        """Publish the tracks of a frame to those who listen; takes every frame, to know when identities restart."""
        if self._session is None or tracks.reset:
            self._session = self._new_session()
        if self._objects is not None:
            self._rates.observe(tracks_in_map(tracks), stamp_ns(tracks.header.stamp), tracks.reset)
        placed = self._frame.place(tracks) if _is_heard(self._detections) or _is_heard(self._objects) else None
        if placed is None:
            return
        if _is_heard(self._detections):
            from ...wire.detections import to_detections
            self._detections.publish(to_detections(placed))
        if _is_heard(self._objects):
            from ...wire.tracked_objects import to_tracked_objects
            self._objects.publish(to_tracked_objects(
                placed, self._session, self._rates.rates(), in_map=not self._frame.is_chosen))


def _publisher(node: Node, package: str, kind: str, topic: str) -> Publisher | None:
    if find_spec(package) is None:
        node.get_logger().info(f'{package} is not installed: nothing is published on {topic}')
        return None
    return node.create_publisher(getattr(import_module(f'{package}.msg'), kind), topic, OUTPUT)


def _is_heard(publisher: Publisher | None) -> bool:
    return publisher is not None and publisher.get_subscription_count() > 0
