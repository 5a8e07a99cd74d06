"""Where a camera stands and how it projects: the exact Calibration, CameraInfo and transforms, or a file."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from sensor_msgs.msg import CameraInfo

from cooptrack_msgs.msg import Calibration

from ..common.errors import WireError
from ..common.geometry import split_projection
from ..sensors.calibration_check import check_matrix, is_impossible
from ..sensors.calibration_file import CameraCalibration
from ..sensors.lens import COEFFICIENTS, Lens
from .arrays import finite, matrix
from .poses import check_plausible_pose

_KEPT = 32
"""Calibrations that are kept."""
_MAX_SKEW = 1e-3
"""Of K, in focal lengths: with more, K and the extrinsic of a Calibration cannot be told apart."""


@dataclass(frozen=True, eq=False)
class CameraModel:
    """
    Where the lidar frame appears in the image and where it stands.

    ``img_from_lidar`` (4, 4) refers to images of ``width`` x ``height`` without distortion; ``base_from_lidar``
    (4, 4) leads to the vehicle base, or to the map for a roadside unit; ``lens`` is what images must be freed of.
    ``base_covariance`` (6, 6) tells how well ``base_from_lidar`` is known, metres and radians; zeros: not known.
    """

    width: int
    height: int
    img_from_lidar: np.ndarray
    base_from_lidar: np.ndarray
    lidar_frame: str
    base_frame: str
    camera_frame: str = ''
    lens: Lens | None = None
    base_covariance: np.ndarray = field(default_factory=lambda: np.zeros((6, 6)))

    def rectified(self, image: np.ndarray) -> np.ndarray:
        """Return an image of this camera, also a reduced one, freed of distortion."""
        return image if self.lens is None else self.lens.undistort(image)


class CalibrationHistory:
    """The last calibrations of a camera: those of an agent that moves tell where it was then."""

    def __init__(self) -> None:
        """Start without any."""
        self._models: deque[tuple[int, CameraModel]] = deque(maxlen=_KEPT)

    def add(self, stamp_ns: int, model: CameraModel) -> None:
        """Take the calibration of a stamp; one that is not after the last one begins anew."""
        if self._models and stamp_ns <= self._models[-1][0]:
            self._models.clear()
        self._models.append((stamp_ns, model))

    @property
    def last(self) -> CameraModel | None:
        """The one that came last, None before the first."""
        return self._models[-1][1] if self._models else None

    def at(self, stamp_ns: int) -> CameraModel | None:
        """Return the calibration of a stamp, else the last one before it, else the one that came last."""
        return next((model for at, model in reversed(self._models) if at <= stamp_ns), self.last)


@dataclass(frozen=True, eq=False)
class LidarPlace:
    """Where the lidar frame of an agent without images stands, see ``CameraModel``."""

    base_from_lidar: np.ndarray
    lidar_frame: str
    base_frame: str
    base_covariance: np.ndarray = field(default_factory=lambda: np.zeros((6, 6)))


@dataclass(frozen=True, eq=False)
class Pinhole:
    """What CameraInfo says: ``img_from_camera`` (3, 4) for images without distortion, and the lens if it bends."""

    width: int
    height: int
    camera_frame: str
    img_from_camera: np.ndarray
    lens: Lens | None = None

    def mounted(self, camera_from_lidar: np.ndarray, base_from_lidar: np.ndarray, lidar_frame: str,
                base_frame: str) -> CameraModel:
        """Return the camera at its place; both transforms are 4x4."""
        projection = np.eye(4)
        projection[:3] = self.img_from_camera @ camera_from_lidar
        return CameraModel(self.width, self.height, projection, base_from_lidar, lidar_frame, base_frame,
                           self.camera_frame, self.lens)


def decode_calibration(msg: Calibration, is_rectified: bool | None = None) -> CameraModel:
    """
    Return the exact calibration.

    :param is_rectified: what the user says about the images; None: the message says it.
    :raises WireError: if sizes are 0 or do not fit, a matrix is not finite, singular or no pose, or user and message
        disagree.
    """
    projection = np.eye(4)
    projection[:3] = matrix(msg.img_from_lidar, 'img_from_lidar', 3)
    base_from_lidar = matrix(msg.base_from_lidar, 'base_from_lidar')
    if not msg.width or not msg.height:
        raise WireError('bad_calibration', f'image size {msg.width}x{msg.height}')
    if abs(np.linalg.det(projection[:3, :3])) < 1e-9:
        raise WireError('bad_calibration', 'img_from_lidar is singular')
    check_plausible_pose(base_from_lidar, 'base_from_lidar', 'bad_calibration')
    intrinsic = _intrinsic(projection)
    _check_fit('img_from_lidar', intrinsic, msg.width, msg.height)
    if is_rectified is not None and is_rectified != msg.is_rectified:
        raise WireError('bad_calibration', f'is_rectified is {msg.is_rectified} in the message, '
                        f'{is_rectified} in the parameter image.rectified')
    lens = None
    if not msg.is_rectified and np.any(msg.distortion):
        if abs(intrinsic[0, 1]) > _MAX_SKEW * intrinsic[0, 0]:
            raise WireError('bad_calibration', 'raw images with distortion need an img_from_lidar of the form '
                            'K [R | t]')
        lens = _lens(msg.width, msg.height, intrinsic, 'plumb_bob', msg.distortion)
    return CameraModel(msg.width, msg.height, projection, base_from_lidar, msg.lidar_frame, msg.base_frame,
                       msg.header.frame_id, lens)


def model_of_file(calibration: CameraCalibration, is_rectified: bool | None = None) -> CameraModel:
    """
    Return the camera that a file describes; its projection is exact, too.

    :param is_rectified: what the user says about the images; None: the coefficients of the lens say it.
    :raises WireError: without a mounting, if the lens is not known, or if it bends images that are rectified.
    """
    mounting = calibration.mounting
    if mounting is None:
        raise WireError('bad_calibration', 'lidar_frame, base_frame and base_from_lidar are missing')
    lens = None
    if np.any(calibration.distortion):
        if is_rectified:
            raise WireError('bad_calibration', 'distortion is not 0, but the parameter image.rectified says that '
                            'images have none')
        lens = _lens(calibration.width, calibration.height, calibration.matrix, calibration.distortion_model,
                     calibration.distortion)
    return CameraModel(
        calibration.width, calibration.height, calibration.img_from_lidar, mounting.base_from_lidar,
        mounting.lidar_frame, mounting.base_frame, calibration.camera_frame, lens, mounting.covariance)


def _intrinsic(projection: np.ndarray) -> np.ndarray:
    """Return K (3, 3) of K [R | t]."""
    try:
        return split_projection(np.eye(3), projection)[0]
    except ValueError as error:
        raise WireError('bad_calibration', f'img_from_lidar: {error}') from error


def _check_fit(what: str, intrinsic: np.ndarray, width: int, height: int) -> None:
    """Raise a WireError if a camera matrix cannot be for images of this size."""
    if is_impossible(intrinsic, (width, height)):
        text = '; '.join(f'{f.problem}: {f.evidence}' for f in check_matrix(intrinsic, (width, height)))
        raise WireError('bad_calibration', f'{what} is not for images of {width}x{height}: {text}')


def check_camera_info(msg: CameraInfo) -> None:
    """
    Check that a camera is calibrated at all.

    :raises WireError: for a zero matrix or size.
    """
    if not msg.k[0] > 0 or not msg.k[4] > 0 or not msg.width or not msg.height:
        raise WireError('bad_calibration', f'CameraInfo with focal lengths {msg.k[0]}, {msg.k[4]} and size '
                        f'{msg.width}x{msg.height}: the camera is not calibrated')


def check_agreement(msg: CameraInfo, model: CameraModel) -> None:
    """
    Check that CameraInfo is about the camera of a Calibration.

    :raises WireError: if size or frame differ.
    """
    _, (width, height) = _part_of_sensor(msg)
    if (width, height) != (model.width, model.height):
        raise WireError('wrong_size', f'CameraInfo is for {width}x{height}, the Calibration for '
                        f'{model.width}x{model.height}')
    check_frame('CameraInfo', msg.header.frame_id, model.camera_frame)


def check_frame(what: str, frame: str, camera_frame: str) -> None:
    """
    Check that something comes from a camera; a frame that is not named is not compared.

    :raises WireError: if both frames are named and differ.
    """
    if frame and camera_frame and frame != camera_frame:
        raise WireError('wrong_frame', f"{what} has frame '{frame}', the camera is calibrated as '{camera_frame}'")


def decode_camera_info(msg: CameraInfo, is_rectified: bool) -> Pinhole:
    """
    Return the projection of a camera: P if its images are rectified, otherwise K and the lens.

    Both are for the whole sensor; what comes out is for images as binning and region of interest leave them.

    :raises WireError: if the camera is not calibrated, names no frame, or has a distortion that is not known.
    """
    check_camera_info(msg)
    part, (width, height) = _part_of_sensor(msg)
    if not msg.header.frame_id:
        raise WireError('wrong_frame', 'CameraInfo names no frame, so no transform to the camera can be found')
    intrinsic = finite(np.array(msg.k, np.float64).reshape(3, 3), 'k')
    if is_rectified:
        if msg.roi.do_rectify:
            raise WireError('bad_calibration', 'CameraInfo has a region of interest that is cut anew from rectified '
                            'images (roi.do_rectify), which is not supported: use raw images with image.rectified '
                            'false')
        projection, lens = matrix(msg.p, 'p', 3), None
        if not projection[0, 0] > 0 or not projection[1, 1] > 0:
            raise WireError('bad_calibration', 'CameraInfo has no P, which rectified images need')
        _check_fit('P', projection[:3, :3], msg.width, msg.height)
    else:
        _check_fit('K', intrinsic, msg.width, msg.height)
        projection = np.column_stack([intrinsic, np.zeros(3)])
        lens = _lens(width, height, part @ intrinsic, msg.distortion_model, msg.d) if np.any(msg.d) else None
    return Pinhole(width, height, msg.header.frame_id, part @ projection, lens)


def _part_of_sensor(msg: CameraInfo) -> tuple[np.ndarray, tuple[int, int]]:
    """
    Return the matrix (3, 3) from pixels of the sensor to those of the image, and width and height of the image.

    :raises WireError: for a region of interest that is not on the sensor.
    """
    roi, bins = msg.roi, (max(msg.binning_x, 1), max(msg.binning_y, 1))
    # Zeros stand for the whole sensor.
    width, height = roi.width or msg.width, roi.height or msg.height
    if roi.x_offset + width > msg.width or roi.y_offset + height > msg.height:
        raise WireError('bad_calibration', f'CameraInfo has a region of interest of {width}x{height} at '
                        f'{roi.x_offset}, {roi.y_offset} of a sensor of {msg.width}x{msg.height}')
    part = np.diag([1 / bins[0], 1 / bins[1], 1.0]) @ [[1, 0, -roi.x_offset], [0, 1, -roi.y_offset], [0, 0, 1]]
    return part, (width // bins[0], height // bins[1])


def _lens(width: int, height: int, intrinsic: np.ndarray, model: str, coefficients) -> Lens:
    if model not in COEFFICIENTS:
        raise WireError('unknown_distortion', f"distortion model '{model}'; known: {', '.join(COEFFICIENTS)}")
    values = finite(np.array(coefficients, np.float64), 'distortion')
    if len(values) not in COEFFICIENTS[model]:
        raise WireError('unknown_distortion', f"{len(values)} coefficients of '{model}', expected "
                        + ' or '.join(map(str, COEFFICIENTS[model])))
    return Lens(width, height, intrinsic, model, values)
