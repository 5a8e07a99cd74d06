"""The anchor camera's image with the published tracks in it."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from cooptrack_msgs.msg import TrackArray

from ...viz.overlay import draw_boxes
from ...wire.cameras import CameraModel
from ...wire.images import AnyImage, decode_image, encode_jpeg, encode_raw
from ...wire.tracks import decode_tracks
from ..qos import OUTPUT


class DebugImage:
    """Draws only while somebody subscribes; raw and compressed under the names that image_transport uses."""

    def __init__(self, node: Node):
        """Create the publishers."""
        self._publishers = {node.create_publisher(Image, '~/debug/image', OUTPUT): encode_raw,
                            node.create_publisher(CompressedImage, '~/debug/image/compressed', OUTPUT): encode_jpeg}

    def publish(self, message: AnyImage, camera: CameraModel, tracks: TrackArray) -> None:
        """
        Publish the image, with all its pixels, to those who listen.

        :param message: the image, one that could be decoded; :param tracks: in the lidar frame of the camera.
        """
        wanted = [(p, encode) for p, encode in self._publishers.items() if p.get_subscription_count()]
        if not wanted:
            return
        image = camera.rectified(decode_image(message)).copy()
        draw_boxes(image, decode_tracks(tracks), camera.img_from_lidar)
        for publisher, encode in wanted:
            publisher.publish(encode(image, message.header))
