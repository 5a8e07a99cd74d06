"""Calibration of one camera as a file; ``config/calibration.example.yaml`` explains every field."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import UserError
from ..common.reading import read_yaml

_CAMERA = ('width', 'height', 'matrix', 'distortion_model', 'distortion', 'camera_from_lidar', 'ground_z')
_MOUNTING = ('lidar_frame', 'base_frame', 'base_from_lidar')
_OPTIONAL = ('looks_deg', 'camera_frame', 'base_from_lidar_std')


@dataclass(frozen=True, eq=False)
class Mounting:
    """
    Where the lidar frame of a camera stands.

    ``base_from_lidar`` (4, 4) leads to the vehicle base, or to the map for a roadside unit; it may be not rigid.
    ``std`` are standard deviations of x, y, z (m) and of the rotation about x, y, z (degrees); zeros: not known.
    """

    lidar_frame: str
    base_frame: str
    base_from_lidar: np.ndarray
    std: np.ndarray = field(default_factory=lambda: np.zeros(6))

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (6, 6) in the order of geometry_msgs/PoseWithCovariance, metres and radians; zeros: not known."""
        return np.diag(np.concatenate([self.std[:3], np.radians(self.std[3:])]) ** 2)


@dataclass(frozen=True, eq=False)
class CameraCalibration:
    """
    One camera and its place.

    ``matrix`` is K (3, 3) of images of ``width`` x ``height`` pixels, ``distortion`` holds the coefficients of
    ``distortion_model`` (none: 0 numbers). ``camera_from_lidar`` (4, 4) maps lidar points (x forward, y left, z up,
    metres) to the optical frame (x right, y down, z forward). ``ground_z`` is the height of the road in the lidar
    frame, metres, mostly negative. ``looks_deg`` is roughly where the camera looks, degrees from x to the left;
    ``camera_frame`` may be empty. A file without ``mounting`` can be checked, but not be used by a node.
    """

    width: int
    height: int
    matrix: np.ndarray
    distortion_model: str
    distortion: np.ndarray
    camera_from_lidar: np.ndarray
    ground_z: float
    looks_deg: float = 0.0
    camera_frame: str = ''
    mounting: Mounting | None = None

    @property
    def img_from_lidar(self) -> np.ndarray:
        """Projection (4, 4) of lidar points to pixels of images without distortion."""
        projection = np.eye(4)
        projection[:3] = self.matrix @ self.camera_from_lidar[:3]
        return projection

    @property
    def camera_in_lidar(self) -> np.ndarray:
        """Place of the camera (3,) in the lidar frame, metres."""
        return -np.linalg.solve(self.camera_from_lidar[:3, :3], self.camera_from_lidar[:3, 3])


def read_calibration(path: Path) -> CameraCalibration:
    """
    Read a calibration file.

    :raises UserError: naming the field that is missing, unknown, or not of the expected shape.
    """
    try:
        content = read_yaml(path)
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{path} holds no fields: {error}; see config/calibration.example.yaml') from error
    # Frames and place belong together: half of them says nothing.
    names = (*_CAMERA, *(_MOUNTING if any(n in content for n in (*_MOUNTING, 'base_from_lidar_std')) else ()))
    missing = [n for n in names if n not in content]
    unknown = sorted(set(map(str, content)) - {*names, *_OPTIONAL})
    if missing or unknown:
        raise UserError(f"{path}: missing fields: {', '.join(missing) or 'none'}; unknown fields: "
                        f"{', '.join(unknown) or 'none'}; see config/calibration.example.yaml")
    calibration = CameraCalibration(
        *(_size(content, name, path) for name in ('width', 'height')),
        _numbers(content, 'matrix', (3, 3), path), str(content['distortion_model']),
        _numbers(content, 'distortion', None, path), _numbers(content, 'camera_from_lidar', (4, 4), path),
        float(_numbers(content, 'ground_z', (), path)),
        float(_numbers({'looks_deg': 0.0, **content}, 'looks_deg', (), path)),
        _frame({'camera_frame': '', **content}, 'camera_frame', path),
        _mounting(content, path) if 'base_from_lidar' in content else None)
    for name, values in (('matrix', calibration.matrix), ('camera_from_lidar', calibration.camera_from_lidar)):
        if abs(np.linalg.det(values)) < 1e-9:
            raise UserError(f"{path}: '{name}' cannot be inverted: {values.tolist()}")
    return calibration


def _mounting(content: dict[str, Any], path: Path) -> Mounting:
    """Return the place of the lidar frame; what is far from a rotation would put everything anywhere."""
    pose = _numbers(content, 'base_from_lidar', (4, 4), path)
    if not 0.2 < np.linalg.det(pose[:3, :3]) < 5 or np.abs(pose[3] - (0, 0, 0, 1)).max() > 1e-9:
        raise UserError(f"{path}: 'base_from_lidar' must hold a rotation and a place, row by row, with the last row "
                        f'0 0 0 1, but is {pose.tolist()}')
    std = _numbers({'base_from_lidar_std': [0.0] * 6, **content}, 'base_from_lidar_std', (6,), path)
    if (std < 0).any():
        raise UserError(f"{path}: 'base_from_lidar_std' must not be negative, but is {std.tolist()}")
    frames = [_frame(content, name, path) for name in ('lidar_frame', 'base_frame')]
    for name, frame in zip(('lidar_frame', 'base_frame'), frames):
        if not frame:
            raise UserError(f"{path}: '{name}' is empty, expected the name of a frame")
    return Mounting(*frames, pose, std)


def _frame(content: dict[str, Any], name: str, path: Path) -> str:
    """Return the name of a frame as messages hold it."""
    value = content[name]
    if not isinstance(value, str) or len(value) > 64:
        raise UserError(f"{path}: '{name}' must be a name of at most 64 characters, but is {value!r}")
    return value


def _size(content: dict[str, Any], name: str, path: Path) -> int:
    value = float(_numbers(content, name, (), path))
    if value < 1 or value != int(value):
        raise UserError(f"{path}: '{name}' must be a number of pixels, but is {value:g}")
    return int(value)


def _numbers(content: dict[str, Any], name: str, shape: tuple[int, ...] | None, path: Path) -> np.ndarray:
    """Return a field as a float64 array; ``shape`` None stands for a list of any length."""
    try:
        values = np.array(content[name], np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: '{name}' does not hold numbers only: {content[name]}") from error
    if values.shape != shape and not (shape is None and values.ndim == 1):
        wanted = 'a list' if shape is None else _shape(shape)
        raise UserError(f"{path}: '{name}' must be {wanted}, but is {_shape(values.shape)}")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: '{name}' holds NaN or infinite numbers")
    return values


def _shape(shape: tuple[int, ...]) -> str:
    return 'x'.join(map(str, shape)) or 'one number'
