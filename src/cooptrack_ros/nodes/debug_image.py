"""The anchor camera's picture with the published tracks in it."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ..core.types import Boxes
from ..viz.overlay import draw_boxes
from ..wire.pictures import encode_jpeg, encode_raw
from ..wire.views import Views
from .qos import OUTPUT


class DebugImage:
    """Draws only while somebody subscribes; raw and compressed under the names that image_transport uses."""

    def __init__(self, node: Node):
        """Create the publishers."""
        self._publishers = {node.create_publisher(Image, '~/debug/image', OUTPUT): encode_raw,
                            node.create_publisher(CompressedImage, '~/debug/image/compressed', OUTPUT): encode_jpeg}

    def publish(self, views: Views, boxes: Boxes, header: Header) -> None:
        """
        Publish the picture to those who listen.

        :param boxes: in the lidar frame of the views; :param header: of the picture.
        """
        wanted = [(p, encode) for p, encode in self._publishers.items() if p.get_subscription_count()]
        if not wanted:
            return
        image = views.images[0].copy()
        draw_boxes(image, boxes, views.img_from_lidar[0])
        for publisher, encode in wanted:
            publisher.publish(encode(image, header))
