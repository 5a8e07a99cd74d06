"""Calibration and pose files of one frame as matrices (method.md 1.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import UserError
from ...common.geometry import make_pose, nearest_rotation
from .schema import numbers, read_json, require

_ROTATION_TOLERANCE = 1e-3


def read_intrinsic(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """
    Return K (3x3) and the stored distortion coefficients of a camera_intrinsic file.

    The left part of ``P`` wins over ``cam_K`` where both are there, as in the published reader. Nothing is
    ever undistorted.
    """
    content = read_json(path, dict)
    if 'P' in content:
        intrinsic = numbers(content['P'], (3, 4), 'P', path)[:, :3]
    else:
        intrinsic = numbers(require(content, 'cam_K', path), (3, 3), 'cam_K', path)
    if abs(np.linalg.det(intrinsic)) < 1e-6:
        raise UserError(f'{path}: the camera matrix cannot be inverted: {intrinsic.tolist()}')
    distortion = content.get('cam_D', [0.0] * 5)
    if not isinstance(distortion, list):
        raise UserError(f"{path}: 'cam_D' must be a list of numbers, not {distortion!r}")
    return intrinsic, numbers(distortion, (len(distortion),), 'cam_D', path)


def read_pose(path: Path) -> np.ndarray:
    """Return the stored 4x4 matrix, which need not be a rotation and translation."""
    content: dict[str, Any] = read_json(path, dict)
    content = content.get('transform', content)
    pose = make_pose(
        numbers(require(content, 'rotation', path), (3, 3), 'rotation', path),
        numbers(require(content, 'translation', path), (3,), 'translation', path))
    if np.linalg.det(pose[:3, :3]) < 1e-6:
        raise UserError(f"{path}: 'rotation' is singular or mirrors space: {pose[:3, :3].tolist()}")
    return pose


def read_rigid_pose(path: Path) -> np.ndarray:
    """Return a stored 4x4 matrix that must be a rotation and translation (to 1e-3), made exactly so."""
    pose = read_pose(path)
    rigid = orthonormal(pose)
    error = np.abs(rigid - pose).max()
    if error > _ROTATION_TOLERANCE:
        raise UserError(f"{path}: 'rotation' must be a rotation, but is {error:.3g} away from the nearest one")
    return rigid


def orthonormal(pose: np.ndarray) -> np.ndarray:
    """Return the 4x4 matrix with its linear part replaced by the nearest rotation."""
    return make_pose(nearest_rotation(pose[:3, :3]), pose[:3, 3])


def ego_from_infra(global_from_infra: np.ndarray, global_from_ego: np.ndarray, ego_from_lidar: np.ndarray,
                   offset: np.ndarray) -> np.ndarray:
    """
    Return the 4x4 that maps roadside virtual-lidar points into the vehicle lidar frame.

    Rule of V2X-Seq-SPD (not of DAIR-V2X-C): the offset is added last, in the vehicle lidar frame. Uses the
    stored roadside matrix, which need not be orthonormal, and true inverses.

    :param global_from_infra: virtuallidar_to_world as stored, 4x4.
    :param offset: ``system_error_offset`` (delta_x, delta_y), metres.
    """
    result = np.linalg.inv(ego_from_lidar) @ np.linalg.inv(global_from_ego) @ global_from_infra
    result[:2, 3] += offset
    return result
