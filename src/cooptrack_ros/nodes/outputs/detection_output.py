"""Publishes tracks as vision_msgs, where that package is installed."""

from __future__ import annotations

from importlib.util import find_spec

from rclpy.node import Node

from cooptrack_msgs.msg import TrackArray

from ..qos import OUTPUT

_PACKAGE = 'vision_msgs'


class DetectionOutput:
    """Converts only while somebody subscribes; without vision_msgs there is no topic, and one line in the log."""

    def __init__(self, node: Node):
        """Create the publisher if the type is there."""
        self._publisher = None
        if find_spec(_PACKAGE) is None:
            node.get_logger().info(f'{_PACKAGE} is not installed: nothing is published on ~/output/detections_3d')
            return
        from vision_msgs.msg import Detection3DArray

        from ...wire.detections import to_detections
        self._convert = to_detections
        self._publisher = node.create_publisher(Detection3DArray, '~/output/detections_3d', OUTPUT)

    def publish(self, tracks: TrackArray) -> None:
        """Publish the tracks of a frame to those who listen."""
        if self._publisher is not None and self._publisher.get_subscription_count():
            self._publisher.publish(self._convert(tracks))
