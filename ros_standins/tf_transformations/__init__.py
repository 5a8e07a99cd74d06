"""
Stand-in for the package tf_transformations, for machines where it is missing.

Quaternions are (x, y, z, w), matrices 4x4 for column vectors. Left out: axes other than ``'sxyz'`` (static, about x,
then y, then z; anything else is a ValueError), and all functions that are not named in ``__all__``.
"""

from __future__ import annotations

import functools
import math

import numpy as np

__all__ = ['concatenate_matrices', 'euler_from_matrix', 'euler_from_quaternion', 'euler_matrix', 'identity_matrix',
           'inverse_matrix', 'quaternion_conjugate', 'quaternion_from_euler', 'quaternion_from_matrix',
           'quaternion_inverse', 'quaternion_matrix', 'quaternion_multiply', 'quaternion_slerp',
           'translation_from_matrix', 'translation_matrix']

_EPS = np.finfo(float).eps * 4.0


def identity_matrix() -> np.ndarray:
    """Return the 4x4 identity."""
    return np.identity(4)


def translation_matrix(direction) -> np.ndarray:
    """Return the 4x4 matrix that translates by a vector."""
    matrix = np.identity(4)
    matrix[:3, 3] = direction[:3]
    return matrix


def translation_from_matrix(matrix) -> np.ndarray:
    """Return the translation of a 4x4 matrix."""
    return np.array(matrix, float)[:3, 3].copy()


def concatenate_matrices(*matrices) -> np.ndarray:
    """Return the product of 4x4 matrices; the last one acts first."""
    return functools.reduce(np.dot, matrices, np.identity(4))


def inverse_matrix(matrix) -> np.ndarray:
    """Return the inverse of a square matrix."""
    return np.linalg.inv(matrix)


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = 'sxyz') -> np.ndarray:
    """Return the quaternion of roll, pitch and yaw, rad."""
    _check_axes(axes)
    (ci, cj, ck), (si, sj, sk) = np.cos([ai / 2, aj / 2, ak / 2]), np.sin([ai / 2, aj / 2, ak / 2])
    return np.array([si * cj * ck - ci * sj * sk, ci * sj * ck + si * cj * sk,
                     ci * cj * sk - si * sj * ck, ci * cj * ck + si * sj * sk])


def euler_from_quaternion(quaternion, axes: str = 'sxyz') -> tuple[float, float, float]:
    """Return roll, pitch and yaw of a quaternion, rad."""
    return euler_from_matrix(quaternion_matrix(quaternion), axes)


def euler_matrix(ai: float, aj: float, ak: float, axes: str = 'sxyz') -> np.ndarray:
    """Return the 4x4 rotation of roll, pitch and yaw, rad."""
    return quaternion_matrix(quaternion_from_euler(ai, aj, ak, axes))


def euler_from_matrix(matrix, axes: str = 'sxyz') -> tuple[float, float, float]:
    """Return roll, pitch and yaw of a rotation matrix, rad; at a pitch of +-90 degrees the yaw is 0."""
    _check_axes(axes)
    m = np.asarray(matrix, float)[:3, :3]
    cy = math.hypot(m[0, 0], m[1, 0])
    if cy > _EPS:
        return math.atan2(m[2, 1], m[2, 2]), math.atan2(-m[2, 0], cy), math.atan2(m[1, 0], m[0, 0])
    return math.atan2(-m[1, 2], m[1, 1]), math.atan2(-m[2, 0], cy), 0.0


def quaternion_matrix(quaternion) -> np.ndarray:
    """Return the 4x4 rotation of a quaternion of any length; the one of length zero gives the identity."""
    q = np.array(quaternion[:4], float)
    squared = q @ q
    matrix = np.identity(4)
    if squared < _EPS:
        return matrix
    x, y, z, w = q * math.sqrt(2.0 / squared)
    matrix[:3, :3] = [[1 - y * y - z * z, x * y - z * w, x * z + y * w],
                      [x * y + z * w, 1 - x * x - z * z, y * z - x * w],
                      [x * z - y * w, y * z + x * w, 1 - x * x - y * y]]
    return matrix


def quaternion_from_matrix(matrix) -> np.ndarray:
    """Return the unit quaternion of a rotation matrix, with w >= 0."""
    m = np.asarray(matrix, float)[:3, :3]
    # Four times the outer product of (x, y, z, w) with itself; its longest column is the best conditioned one.
    outer = np.array([
        [1 + m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
        [m[0, 1] + m[1, 0], 1 - m[0, 0] + m[1, 1] - m[2, 2], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
        [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], 1 - m[0, 0] - m[1, 1] + m[2, 2], m[1, 0] - m[0, 1]],
        [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1 + m[0, 0] + m[1, 1] + m[2, 2]]])
    q = outer[:, np.argmax(np.diag(outer))]
    q = q / np.linalg.norm(q)
    return -q if q[3] < 0 else q


def quaternion_multiply(quaternion1, quaternion0) -> np.ndarray:
    """Return the product of two quaternions; the second one rotates first."""
    x1, y1, z1, w1 = quaternion1
    x0, y0, z0, w0 = quaternion0
    return np.array([x1 * w0 + y1 * z0 - z1 * y0 + w1 * x0, -x1 * z0 + y1 * w0 + z1 * x0 + w1 * y0,
                     x1 * y0 - y1 * x0 + z1 * w0 + w1 * z0, -x1 * x0 - y1 * y0 - z1 * z0 + w1 * w0])


def quaternion_conjugate(quaternion) -> np.ndarray:
    """Return the conjugate of a quaternion."""
    x, y, z, w = quaternion
    return np.array([-x, -y, -z, w], float)


def quaternion_inverse(quaternion) -> np.ndarray:
    """Return the inverse of a quaternion."""
    return quaternion_conjugate(quaternion) / np.dot(quaternion, quaternion)


def quaternion_slerp(quat0, quat1, fraction: float, spin: int = 0, shortestpath: bool = True) -> np.ndarray:
    """
    Return the spherical linear interpolation between two quaternions, quat0 at fraction 0 and quat1 at 1.

    :param spin: half turns to add (the sign chooses the direction).
    :param shortestpath: go the short way, treating q and -q as the same rotation.
    """
    q0, q1 = (np.array(q[:4], float) / np.linalg.norm(q[:4]) for q in (quat0, quat1))
    if fraction in (0.0, 1.0):
        return q1 if fraction else q0
    cosine = float(q0 @ q1)
    if abs(abs(cosine) - 1.0) < _EPS:
        return q0
    if shortestpath and cosine < 0.0:
        cosine, q1 = -cosine, -q1
    angle = math.acos(min(1.0, cosine)) + spin * math.pi
    if abs(angle) < _EPS:
        return q0
    return (math.sin((1.0 - fraction) * angle) * q0 + math.sin(fraction * angle) * q1) / math.sin(angle)


def _check_axes(axes: str) -> None:
    if axes != 'sxyz':
        raise ValueError(f"axes {axes!r} are not supported here, only 'sxyz'")
