"""Poses, projections and box conversions shared by data, model, nodes and images."""

from __future__ import annotations

import numpy as np

from .types import Boxes


def make_pose(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Return the 4x4 matrix of a 3x3 linear part and a translation of any shape with 3 numbers."""
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = np.asarray(translation, dtype=np.float64).reshape(3)
    return pose


def rotation_z(yaw: float) -> np.ndarray:
    """Return the 3x3 counter-clockwise rotation about +z, radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_xyz(x: float, y: float, z: float) -> np.ndarray:
    """Return the 3x3 rotation about x, then y, then z, radians."""
    cx, sx, cy, sy = np.cos(x), np.sin(x), np.cos(y), np.sin(y)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return rotation_z(z) @ about_y @ about_x


def angles_xyz(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return the angles of ``rotation_xyz``, radians; that about y is less than a right angle."""
    x = np.arctan2(rotation[2, 1], rotation[2, 2])
    y = np.arctan2(-rotation[2, 0], np.hypot(rotation[2, 1], rotation[2, 2]))
    return float(x), float(y), heading(rotation)


def transform_points(target_from_source: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (..., 3) mapped by a 4x4 affine matrix."""
    return points @ target_from_source[:3, :3].T + target_from_source[:3, 3]


def wrap_angle(angle):
    """Return the angle(s) brought into [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """Return the proper rotation nearest to a 3x3 matrix (orthogonal factor of the polar decomposition)."""
    u, _, vt = np.linalg.svd(matrix)
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt


def heading(rotation: np.ndarray) -> float:
    """Return the direction of the rotated x axis seen from above, radians in (-pi, pi]."""
    return float(np.arctan2(rotation[1, 0], rotation[0, 0]))


def quaternion_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Return (w, x, y, z) with w >= 0 of a proper 3x3 rotation."""
    m = rotation
    candidates = np.array([
        1 + m[0, 0] + m[1, 1] + m[2, 2], 1 + m[0, 0] - m[1, 1] - m[2, 2],
        1 - m[0, 0] + m[1, 1] - m[2, 2], 1 - m[0, 0] - m[1, 1] + m[2, 2]])
    k = int(np.argmax(candidates))
    r = np.sqrt(candidates[k])
    if k == 0:
        q = [r * r, m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]
    elif k == 1:
        q = [m[2, 1] - m[1, 2], r * r, m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]]
    elif k == 2:
        q = [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], r * r, m[1, 2] + m[2, 1]]
    else:
        q = [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], r * r]
    q = np.array(q) / (2 * r)
    return -q if q[0] < 0 else q


def rotation_from_quaternion(wxyz) -> np.ndarray:
    """Return the 3x3 rotation of a quaternion (w, x, y, z); it is normalised first."""
    q = np.asarray(wxyz, dtype=np.float64)
    w, x, y, z = q / np.linalg.norm(q)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def transform_boxes(target_from_source: np.ndarray, boxes: Boxes) -> Boxes:
    """
    Return boxes expressed in another frame.

    Centres use the exact matrix; yaw and velocity use the nearest rotation, because calibration matrices
    of real data are not always orthonormal.
    """
    rotation = nearest_rotation(target_from_source[:3, :3])
    velocity = np.concatenate([boxes.velocity, np.zeros((len(boxes), 1))], axis=1) @ rotation.T
    return boxes.with_(
        centre=transform_points(target_from_source, boxes.centre),
        yaw=wrap_angle(boxes.yaw + heading(rotation)),
        velocity=velocity[:, :2])


def box_corners(boxes: Boxes) -> np.ndarray:
    """
    Return the eight corners (N, 8, 3).

    Order: the four bottom corners front-left, front-right, rear-right, rear-left, then the same on top.
    """
    sign = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * 0.5
    local = np.concatenate([
        np.concatenate([sign, np.full((4, 1), -0.5)], axis=1),
        np.concatenate([sign, np.full((4, 1), 0.5)], axis=1)])
    points = local[None] * boxes.size[:, None, :]
    c, s = np.cos(boxes.yaw)[:, None], np.sin(boxes.yaw)[:, None]
    x = c * points[..., 0] - s * points[..., 1]
    y = s * points[..., 0] + c * points[..., 1]
    return np.stack([x, y, points[..., 2]], axis=-1) + boxes.centre[:, None, :]


def project_points(img_from_lidar: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (..., 2) and depths (...) of points (..., 3); pixels are meaningless where depth <= 0."""
    homogeneous = points @ img_from_lidar[:3, :3].T + img_from_lidar[:3, 3]
    depth = homogeneous[..., 2]
    return homogeneous[..., :2] / np.maximum(depth, 1e-5)[..., None], depth


def split_projection(intrinsic: np.ndarray, cam_from_lidar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Split K [A | t] with any invertible A into K' [Q | t'] with a proper rotation Q that projects alike.

    :param intrinsic: 3x3 pinhole matrix K.
    :param cam_from_lidar: 4x4 with linear part A.
    :returns: K' (3x3 upper triangular, positive diagonal, K'[2, 2] = 1) and the rigid 4x4 [Q | t'].
    """
    from scipy.linalg import rq
    product = intrinsic @ cam_from_lidar[:3, :3]
    upper, rotation = rq(product)
    sign = np.diag(np.sign(np.diag(upper)))
    upper, rotation = upper @ sign, sign @ rotation
    if np.linalg.det(rotation) < 0:
        raise ValueError('the extrinsic matrix mirrors space (negative determinant)')
    translation = np.linalg.solve(upper, intrinsic @ cam_from_lidar[:3, 3])
    scale = upper[2, 2]
    return upper / scale, make_pose(rotation, translation)
