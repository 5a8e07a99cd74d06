"""Input of the tracker about the motion of its own vehicle or pole."""

from __future__ import annotations

import numpy as np

from .geometry import heading, quaternion_from_rotation


def heading_degrees(rotation: np.ndarray) -> float:
    """Return the heading of the rotated x axis in degrees, in [0, 360)."""
    degrees = float(np.degrees(heading(rotation)) % 360.0)
    # The remainder of a tiny negative angle rounds up to 360 itself.
    return 0.0 if degrees >= 360.0 else degrees


def _published_quaternion(rotation: np.ndarray) -> np.ndarray:
    """
    Return (w, x, y, z) with the sign that pyquaternion gives it.

    The numbers are an input of the published network, so the sign matters: not w but the component that
    pyquaternion divides by is positive (z for headings beyond 90 degrees).
    """
    if rotation[2, 2] < 0:
        positive = 1 if rotation[0, 0] > rotation[1, 1] else 2
    else:
        positive = 3 if rotation[0, 0] < -rotation[1, 1] else 0
    quaternion = quaternion_from_rotation(rotation)
    return -quaternion if quaternion[positive] < 0 else quaternion


def can_bus(global_from_ego: np.ndarray) -> np.ndarray:
    """
    Return the 18 numbers (float64) that the published loader makes of a pose (method.md 4.1).

    [0:3] translation, [3:7] quaternion w, x, y, z, [16] heading in radians in [0, 2 pi), [17] the same in
    degrees in [0, 360), the rest 0.

    :param global_from_ego: 4x4 with a proper rotation.
    """
    values = np.zeros(18)
    values[:3] = global_from_ego[:3, 3]
    values[3:7] = _published_quaternion(global_from_ego[:3, :3])
    values[17] = heading_degrees(global_from_ego[:3, :3])
    values[16] = np.radians(values[17])
    return values


def row_vector_pose(global_from_lidar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return (l2g_r_mat, l2g_t), float32, of the published row-vector convention: p_global = p @ r_mat + t.

    :param global_from_lidar: 4x4 pose of the lidar, float64.
    """
    return (np.ascontiguousarray(global_from_lidar[:3, :3].T, dtype=np.float32),
            global_from_lidar[:3, 3].astype(np.float32))
