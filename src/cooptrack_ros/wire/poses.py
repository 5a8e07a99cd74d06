"""Poses from messages: odometry, poses, transforms, exact relations of two agents."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry

from cooptrack_msgs.msg import PairTransform

from ..common.errors import WireError
from ..common.geometry import make_pose, rotation_from_quaternion
from .arrays import finite, matrix, stamp_ns

_MAX_OFFSET_M = 1e8
"""More than any map on Earth needs; numbers far beyond overflow further on."""
_MAX_STRETCH = 0.05
"""Of lengths in any direction; stored calibrations are nearly rotations, to some thousandths."""
_MIN_UPRIGHT = 0.7
"""Cosine: what stands on the road is tilted by less than 45 degrees."""
_MAX_LAST_ROW = 1e-9
"""Of what is not (0, 0, 0, 1): together with the largest offset more would make a matrix that cannot be inverted."""


def check_plausible_pose(pose: np.ndarray, name: str, reason: str = 'bad_pose') -> None:
    """
    Check that a finite matrix (4, 4) could be a pose, which stored calibrations are only nearly.

    :raises WireError: if it stretches or shears by more than some hundredths, mirrors space, or leads out of the world.
    """
    rotation = pose[:3, :3]
    if (np.abs(rotation).max() > 2 or np.linalg.det(rotation) <= 0
            or np.abs(np.linalg.svd(rotation, compute_uv=False) - 1).max() > _MAX_STRETCH
            or np.abs(pose[:3, 3]).max() > _MAX_OFFSET_M or np.abs(pose[3] - (0, 0, 0, 1)).max() > _MAX_LAST_ROW):
        raise WireError(reason, f'{name} is no pose: {pose.tolist()}')


def check_upright(pose: np.ndarray, name: str) -> None:
    """
    Check that a pose (4, 4) between frames whose z axes point up does not turn the world over.

    :raises WireError: if it tilts by more than 45 degrees.
    """
    if pose[2, 2] < _MIN_UPRIGHT:
        raise WireError('bad_pose', f'{name} lays the unit on its side or upside down: {pose.tolist()}')


def decode_odometry(msg: Odometry) -> tuple[int, np.ndarray]:
    """
    Return the stamp in nanoseconds and map_from_base (4, 4).

    :raises WireError: if the pose is not finite or its quaternion not of unit length.
    """
    return stamp_ns(msg.header.stamp), _pose(msg.pose.pose.position, msg.pose.pose.orientation)


def decode_pose(msg: PoseStamped) -> tuple[int, np.ndarray]:
    """Return the same of a plain pose."""
    return stamp_ns(msg.header.stamp), _pose(msg.pose.position, msg.pose.orientation)


def decode_transform(msg: TransformStamped) -> np.ndarray:
    """Return target_from_source (4, 4): the frame of the header is the target, the child frame the source."""
    return _pose(msg.transform.translation, msg.transform.rotation)


def check_frames(msg: Odometry | PoseStamped, map_frame: str, base_frame: str) -> None:
    """
    Check that a pose is that of the vehicle base in the map.

    :param base_frame: what the child frame of odometry must be, if it names one; empty: anything.
    :raises WireError: naming both frames.
    """
    if msg.header.frame_id != map_frame:
        raise WireError('wrong_frame', f"the pose refers to frame '{msg.header.frame_id}', not to '{map_frame}' "
                        '(parameter map_frame, which must be the map of the units, too): use poses of a localisation '
                        f"in '{map_frame}', or pose.source tf")
    child = getattr(msg, 'child_frame_id', '')
    if child and base_frame and child != base_frame:
        raise WireError('wrong_frame', f"the pose is that of frame '{child}', not of the base frame '{base_frame}' "
                        '(parameter base_frame, else the Calibration)')


def _pose(p, q) -> np.ndarray:
    """Return a pose (4, 4) of a position and a quaternion message."""
    quaternion = finite(np.array([q.w, q.x, q.y, q.z]), 'orientation')
    if abs(np.linalg.norm(quaternion) - 1) > 1e-2:
        raise WireError('bad_pose', 'the orientation is not a unit quaternion')
    position = finite(np.array([p.x, p.y, p.z]), 'position')
    pose = make_pose(rotation_from_quaternion(quaternion), position)
    check_plausible_pose(pose, 'the pose')
    return pose


def decode_pair(msg: PairTransform) -> tuple[int, int, np.ndarray]:
    """
    Return ego stamp and roadside stamp in nanoseconds and ego_from_infra (4, 4).

    :raises WireError: if the matrix is not finite or no pose.
    """
    pose = matrix(msg.ego_from_infra, 'ego_from_infra')
    check_plausible_pose(pose, 'ego_from_infra')
    check_upright(pose, 'ego_from_infra')
    return stamp_ns(msg.header.stamp), stamp_ns(msg.infra_stamp), pose
