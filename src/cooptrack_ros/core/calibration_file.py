"""Calibration of one camera as a file; ``config/calibration.example.yaml`` explains every field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UserError


@dataclass(frozen=True, eq=False)
class CameraCalibration:
    """
    One camera and its place.

    ``matrix`` is K (3, 3) of pictures of ``width`` x ``height`` pixels, ``distortion`` holds the coefficients of
    ``distortion_model`` (none: 0 numbers). ``camera_from_lidar`` (4, 4) maps lidar points (x forward, y left, z up,
    metres) to the optical frame (x right, y down, z forward). ``ground_z`` is the height of the road in the lidar
    frame, metres, mostly negative.
    """

    width: int
    height: int
    matrix: np.ndarray
    distortion_model: str
    distortion: np.ndarray
    camera_from_lidar: np.ndarray
    ground_z: float

    @property
    def img_from_lidar(self) -> np.ndarray:
        """Projection (4, 4) of lidar points to pixels of pictures without distortion."""
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
    import yaml
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    except yaml.YAMLError as error:
        raise UserError(f'{path} is not YAML: {error}') from error
    if not isinstance(content, dict):
        raise UserError(f'{path} holds no fields; see config/calibration.example.yaml')
    names = ('width', 'height', 'matrix', 'distortion_model', 'distortion', 'camera_from_lidar', 'ground_z')
    missing, unknown = [n for n in names if n not in content], sorted(set(content) - set(names))
    if missing or unknown:
        raise UserError(f"{path}: missing fields: {', '.join(missing) or 'none'}; unknown fields: "
                        f"{', '.join(map(str, unknown)) or 'none'}; see config/calibration.example.yaml")
    calibration = CameraCalibration(
        *(int(_numbers(content, name, (), path)) for name in ('width', 'height')),
        _numbers(content, 'matrix', (3, 3), path), str(content['distortion_model']),
        _numbers(content, 'distortion', None, path), _numbers(content, 'camera_from_lidar', (4, 4), path),
        float(_numbers(content, 'ground_z', (), path)))
    for name, values in (('matrix', calibration.matrix), ('camera_from_lidar', calibration.camera_from_lidar)):
        if abs(np.linalg.det(values)) < 1e-9:
            raise UserError(f"{path}: '{name}' cannot be inverted: {values.tolist()}")
    return calibration


def _numbers(content: dict[str, Any], name: str, shape: tuple[int, ...] | None, path: Path) -> np.ndarray:
    """Return a field as a float64 array; ``shape`` None stands for a list of any length."""
    try:
        values = np.array(content[name], np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: '{name}' does not hold numbers only: {content[name]}") from error
    if values.shape != shape and not (shape is None and values.ndim == 1):
        wanted = 'a list' if shape is None else 'x'.join(map(str, shape)) or 'one number'
        raise UserError(f"{path}: '{name}' must be {wanted}, but is {'x'.join(map(str, values.shape)) or 'one number'}")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: '{name}' holds NaN or infinite numbers")
    return values
