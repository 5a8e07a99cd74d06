"""Standard ROS messages of one sensor frame: images, calibration, poses, clouds."""

from __future__ import annotations

from array import array

import numpy as np
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2
from std_msgs.msg import Header

from ...common.errors import UserError
from ...common.geometry import quaternion_from_rotation, split_projection
from ...common.reading import read_bounded
from ...sensors.image_decoding import MAX_IMAGE_BYTES, decode_reduced
from ...sensors.jpeg import jpeg_size
from ...sensors.stated_size import png_size
from ...wire.arrays import set_stamp
from ...wire.point_clouds import encode_point_cloud
from ..dataset import CameraFrame, SensorFrame
from .types import MAP_FRAME, AgentNames


def header(stamp_ns: int, frame_id: str) -> Header:
    """Return a header; whole-number arithmetic only, a float would lose nanoseconds."""
    message = Header(frame_id=frame_id)
    set_stamp(message.stamp, stamp_ns)
    return message


def compressed_image(camera: CameraFrame, names: AgentNames, stamp_ns: int) -> tuple[CompressedImage, int, int]:
    """Return the image with its bytes as they are, its width and its height."""
    try:
        data = read_bounded(camera.image_path, MAX_IMAGE_BYTES)
        kind, width, height = _kind_and_size(data)
        # As small as can be, only to notice lost pixels.
        decode_reduced(data, (1, 1))
    except OSError as error:
        raise UserError(f'{camera.image_path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{camera.image_path}: {error}') from error
    camera.check((width, height))
    message = CompressedImage(header=header(stamp_ns, names.camera_frame), format=kind, data=array('B', data))
    return message, width, height


def _kind_and_size(data: bytes) -> tuple[str, int, int]:
    """
    Return the format of an image as messages name it, its width and its height.

    :raises ValueError: for another format than JPEG and PNG.
    """
    size = png_size(data)
    return ('png', *size) if size else ('jpeg', *jpeg_size(data))


def camera_info(camera: CameraFrame, names: AgentNames, stamp_ns: int, size: tuple[int, int]) -> CameraInfo:
    """
    Return the pinhole part of the exact RQ form.

    With the camera frame of ``static_transforms`` it projects as the stored calibration does, also where the
    stored extrinsic is not a rotation. Distortion is zero, because images are used as they are.

    :param size: width, height in pixels of the images that the calibration is for.
    """
    intrinsic, _ = split_projection(camera.intrinsic, camera.cam_from_lidar)
    return CameraInfo(
        header=header(stamp_ns, names.camera_frame), width=size[0], height=size[1], distortion_model='plumb_bob',
        d=[0.0] * 5, k=intrinsic.reshape(-1), r=np.eye(3).reshape(-1),
        p=np.column_stack([intrinsic, np.zeros(3)]).reshape(-1))


def transform(target_from_source: np.ndarray, stamp_ns: int, target: str, source: str) -> TransformStamped:
    """Return a rigid 4x4 as transform: ``target`` is the parent frame, ``source`` the child."""
    message = TransformStamped(header=header(stamp_ns, target), child_frame_id=source)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = (float(v) for v in target_from_source[:3, 3])
    rotation.w, rotation.x, rotation.y, rotation.z = (
        float(v) for v in quaternion_from_rotation(target_from_source[:3, :3]))
    return message


def static_transforms(sensor: SensorFrame, names: AgentNames, stamp_ns: int) -> list[TransformStamped]:
    """
    Return the fixed transforms of an agent: vehicle body -> lidar -> cameras, or map -> roadside lidar -> cameras.

    The pose of a roadside lidar is orthonormalised; its exact matrix travels in the Calibration message.
    """
    if names.body_frame == names.lidar_frame:
        first = transform(sensor.global_from_lidar, stamp_ns, MAP_FRAME, names.lidar_frame)
    else:
        first = transform(sensor.ego_from_lidar, stamp_ns, names.body_frame, names.lidar_frame)
    return [first, *(_camera_transform(camera, names.of_camera(camera.name, len(sensor.cameras)), stamp_ns)
                     for camera in sensor.cameras)]


def _camera_transform(camera: CameraFrame, names: AgentNames, stamp_ns: int) -> TransformStamped:
    _, cam_from_lidar = split_projection(camera.intrinsic, camera.cam_from_lidar)
    return transform(np.linalg.inv(cam_from_lidar), stamp_ns, names.lidar_frame, names.camera_frame)


def odometry(sensor: SensorFrame, names: AgentNames, stamp_ns: int) -> Odometry:
    """Return the stored pose of the vehicle body in the map; covariance and twist are unknown and left zero."""
    pose = transform(sensor.global_from_ego, stamp_ns, MAP_FRAME, names.body_frame)
    message = Odometry(header=pose.header, child_frame_id=names.body_frame)
    position, translation = message.pose.pose.position, pose.transform.translation
    position.x, position.y, position.z = translation.x, translation.y, translation.z
    message.pose.pose.orientation = pose.transform.rotation
    return message


def point_cloud(sensor: SensorFrame, names: AgentNames, stamp_ns: int) -> PointCloud2:
    """Return the cloud as x, y, z, intensity (0..1), float32, in the lidar frame."""
    return encode_point_cloud(sensor.point_cloud.read(), header(stamp_ns, names.lidar_frame))
