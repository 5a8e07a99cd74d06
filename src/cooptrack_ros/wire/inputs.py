"""Sensor messages as arrays: pictures, calibration, odometry, pairs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cooptrack_msgs.msg import Calibration, PairTransform

from ..core.geometry import make_pose, rotation_from_quaternion
from .arrays import finite, matrix, stamp_ns
from .errors import WireError

_CHANNELS = {'bgr8': (3, None), 'rgb8': (3, cv2.COLOR_RGB2BGR), 'mono8': (1, cv2.COLOR_GRAY2BGR),
             'bgra8': (4, cv2.COLOR_BGRA2BGR), 'rgba8': (4, cv2.COLOR_RGBA2BGR)}


@dataclass(frozen=True)
class CameraModel:
    """
    Where the lidar frame appears in the picture and where it stands.

    ``img_from_lidar`` (4, 4) refers to pictures of ``width`` x ``height``; ``base_from_lidar`` (4, 4) leads to the
    vehicle base, or to the map for a roadside unit.
    """

    width: int
    height: int
    img_from_lidar: np.ndarray
    base_from_lidar: np.ndarray
    lidar_frame: str
    base_frame: str


def decode_compressed(msg: CompressedImage) -> np.ndarray:
    """
    Return a compressed picture as BGR.

    :raises WireError: if it cannot be decoded.
    """
    data = np.frombuffer(msg.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise WireError('unreadable_image', f"picture of {len(data)} bytes, format '{msg.format}', cannot be decoded")
    return image


def decode_raw(msg: Image) -> np.ndarray:
    """
    Return a raw picture as BGR.

    :raises WireError: for an encoding that is not 8 bit colour or grey, or data of the wrong length.
    """
    if msg.encoding not in _CHANNELS:
        raise WireError('unreadable_image', f"encoding '{msg.encoding}'; known: {', '.join(_CHANNELS)}")
    channels, conversion = _CHANNELS[msg.encoding]
    if not msg.width or not msg.height or msg.step < msg.width * channels or len(msg.data) != msg.step * msg.height:
        raise WireError('unreadable_image', f'{len(msg.data)} bytes are no {msg.width}x{msg.height} {msg.encoding} '
                        f'picture with {msg.step} bytes a row')
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    pixels = rows[:, :msg.width * channels].reshape(msg.height, msg.width, channels)
    return cv2.cvtColor(pixels, conversion) if conversion is not None else np.ascontiguousarray(pixels)


def decode_image(msg: CompressedImage | Image) -> np.ndarray:
    """Return either kind of picture as BGR."""
    return decode_raw(msg) if isinstance(msg, Image) else decode_compressed(msg)


def decode_calibration(msg: Calibration) -> CameraModel:
    """
    Return the exact calibration.

    :raises WireError: if sizes are 0 or a matrix is not finite or singular.
    """
    projection = np.eye(4)
    projection[:3] = matrix(msg.img_from_lidar, 'img_from_lidar', 3)
    base_from_lidar = matrix(msg.base_from_lidar, 'base_from_lidar')
    if not msg.width or not msg.height:
        raise WireError('bad_calibration', f'picture size {msg.width}x{msg.height}')
    for name, values in (('img_from_lidar', projection), ('base_from_lidar', base_from_lidar)):
        if abs(np.linalg.det(values[:3, :3])) < 1e-9:
            raise WireError('bad_calibration', f'{name} is singular')
    return CameraModel(msg.width, msg.height, projection, base_from_lidar, msg.lidar_frame, msg.base_frame)


def check_camera_info(msg: CameraInfo) -> None:
    """
    Check that a camera is calibrated at all.

    :raises WireError: for a zero matrix or size.
    """
    if not msg.k[0] > 0 or not msg.k[4] > 0 or not msg.width or not msg.height:
        raise WireError('bad_calibration', f'CameraInfo with focal lengths {msg.k[0]}, {msg.k[4]} and size '
                        f'{msg.width}x{msg.height}: the camera is not calibrated')


def decode_odometry(msg: Odometry) -> tuple[int, np.ndarray]:
    """
    Return the stamp in nanoseconds and map_from_base (4, 4).

    :raises WireError: if the pose is not finite or its quaternion not of unit length.
    """
    p, q = msg.pose.pose.position, msg.pose.pose.orientation
    quaternion = finite(np.array([q.w, q.x, q.y, q.z]), 'orientation')
    if abs(np.linalg.norm(quaternion) - 1) > 1e-2:
        raise WireError('bad_pose', 'the orientation is not a unit quaternion')
    position = finite(np.array([p.x, p.y, p.z]), 'position')
    return stamp_ns(msg.header.stamp), make_pose(rotation_from_quaternion(quaternion), position)


def decode_pair(msg: PairTransform) -> tuple[int, int, np.ndarray]:
    """Return ego stamp and roadside stamp in nanoseconds and ego_from_infra (4, 4)."""
    pose = matrix(msg.ego_from_infra, 'ego_from_infra')
    if abs(np.linalg.det(pose[:3, :3])) < 1e-6:
        raise WireError('bad_pose', 'ego_from_infra is singular')
    return stamp_ns(msg.header.stamp), stamp_ns(msg.infra_stamp), pose
