"""What is known of a topic that may be an input, from its type and its first message; no ROS here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...common.text import readable
from ...wire.topics import IMAGE_TRANSPORTS

IMAGE, COMPRESSED = IMAGE_TRANSPORTS['raw'].kind, IMAGE_TRANSPORTS['compressed'].kind
IMAGES = tuple(transport.kind for transport in IMAGE_TRANSPORTS.values())
_VIDEO = IMAGE_TRANSPORTS['foxglove'].kind
"""Its messages have no header."""
CAMERA_INFO, CALIBRATION = 'sensor_msgs/msg/CameraInfo', 'cooptrack_msgs/msg/Calibration'
ODOMETRY, POSE = 'nav_msgs/msg/Odometry', 'geometry_msgs/msg/PoseStamped'
POINTS = 'sensor_msgs/msg/PointCloud2'
FEATURES = 'cooptrack_msgs/msg/InstanceFeatureArray'
TRANSFORMS = 'tf2_msgs/msg/TFMessage'
LOOKED_AT = (*IMAGES, CAMERA_INFO, CALIBRATION, ODOMETRY, POSE, POINTS)
"""Types whose messages are looked into and counted."""


@dataclass(frozen=True)
class TopicFacts:
    """
    One topic: full name, type, messages per second, ``reliable`` or ``best_effort``.

    ``frame`` is that of its header; ``base`` the frame of the vehicle that it names, in ``Odometry`` and
    ``Calibration``; ``lidar_frame`` that of the network, in ``Calibration``; ``has_distortion`` is None but for a
    CameraInfo.
    """

    name: str
    kind: str
    count: int = 0
    rate_hz: float = 0.0
    reliability: str = 'reliable'
    frame: str = ''
    base: str = ''
    lidar_frame: str = ''
    has_distortion: bool | None = None

    def __str__(self) -> str:
        """Return it in one line."""
        rate = f'{self.rate_hz:.1f} Hz' if self.count > 1 else f'{self.count} message' + 's' * (self.count == 0)
        frames = [f'frame {self.frame}'] * bool(self.frame) + [f'of {self.base}'] * bool(self.base)
        return ', '.join([f'{self.name}  {self.kind}', rate, *frames, self.reliability])


@dataclass(frozen=True)
class Seen:
    """What is there: topics, all frames of /tf and /tf_static, and whether somebody publishes /clock."""

    topics: tuple[TopicFacts, ...]
    frames: tuple[str, ...] = ()
    has_clock: bool = False


def details_of(kind: str, message: Any) -> dict[str, Any]:
    """Return the fields of ``TopicFacts`` that a message tells, of rclpy or of a bag."""
    details: dict[str, Any] = {'frame': readable((message if kind == _VIDEO else message.header).frame_id)}
    if kind == ODOMETRY:
        details['base'] = readable(message.child_frame_id)
    elif kind == CALIBRATION:
        details |= {'base': readable(message.base_frame), 'lidar_frame': readable(message.lidar_frame)}
    elif kind == CAMERA_INFO:
        details['has_distortion'] = any(value != 0 for value in message.d)
    return details


def frames_of(message: Any) -> set[str]:
    """Return the frames that a message of /tf names."""
    return {readable(name) for t in message.transforms for name in (t.header.frame_id, t.child_frame_id)}
