"""Looks for the usual mistakes in the calibration of a camera, and of all cameras of one agent together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..common.geometry import nearest_rotation, project_points, rotation_z, split_projection
from ..common.text import readable
from .calibration_file import CameraCalibration
from .lens import COEFFICIENTS


@dataclass(frozen=True)
class Finding:
    """A problem, what shows it, and what to do about it."""

    problem: str
    evidence: str
    advice: str

    def __str__(self) -> str:
        """Return three lines for a terminal; what they cite of others can only be read."""
        return (f'{readable(self.problem)}\n    evidence: {readable(self.evidence)}\n'
                f'    to do:    {readable(self.advice)}')


_ROTATION_TOLERANCE = 1e-3
_MIN_FORWARD = 0.5
"""Cosine: the optical axis must be within 60 degrees of where the file says that the camera looks."""
_MIN_UPRIGHT = 0.8
"""Cosine: rolled by less than about 37 degrees."""
_MIN_LEVEL = 0.97
"""Cosine: the lidar frame is tilted by less than about 14 degrees against its base."""
_HEIGHTS_M = (0.5, 15.0)
_FIELDS_OF_VIEW_DEG = (10.0, 150.0)
_NOT_AT_AN_EDGE = (0.1, 0.9)
"""Share of width and height; with a centre beyond, a calibration is not used."""
_AHEAD_M = np.arange(3.0, 80.0)
_OPTICAL_FROM_BODY = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
"""A camera that looks along +x, in optical axes."""


def check_calibration(calibration: CameraCalibration, image_size: tuple[int, int] | None = None) -> list[Finding]:
    """
    Return what is wrong or unlikely.

    :param image_size: width and height of an image of this camera.
    """
    intrinsic = check_matrix(calibration.matrix, (calibration.width, calibration.height))
    direction = _mirrored(calibration) or _direction(calibration)
    findings = [*_size(calibration, image_size), *intrinsic, *_distortion(calibration), *_rotation(calibration),
                *direction, *_mounting(calibration)]
    # A wrong camera, or one that looks elsewhere, fails these too: one finding per mistake.
    if not intrinsic and not direction:
        findings += _height(calibration) or _ground(calibration)
    return findings


def view_angles(calibration: CameraCalibration) -> dict[str, float]:
    """Return height above the road (m), yaw to the left, pitch downwards, horizontal field of view (degrees)."""
    axis = nearest_rotation(calibration.camera_from_lidar[:3, :3])[2]
    return {'height_m': float(calibration.camera_in_lidar[2] - calibration.ground_z),
            'yaw_deg': float(np.degrees(np.arctan2(axis[1], axis[0]))),
            'pitch_deg': float(np.degrees(np.arcsin(np.clip(-axis[2], -1, 1)))),
            'fov_deg': _fov_deg(calibration.matrix, calibration.width)}


def _fov_deg(matrix: np.ndarray, width: int) -> float:
    return float(np.degrees(2 * np.arctan(width / 2 / abs(matrix[0, 0]))))


def _size(calibration: CameraCalibration, image_size: tuple[int, int] | None) -> list[Finding]:
    own = calibration.width, calibration.height
    if image_size is None or image_size == own:
        return []
    factors = image_size[0] / own[0], image_size[1] / own[1]
    advice = 'calibrate with images of this size'
    if abs(factors[0] - factors[1]) < 1e-3:
        advice = f'if the image was only scaled: multiply the first two rows of matrix by {factors[0]:.6g}'
    return [Finding('the calibration is for images of another size',
                    f'image {image_size[0]}x{image_size[1]}, calibration {own[0]}x{own[1]}', advice)]


def check_matrix(k: np.ndarray, size: tuple[int, int]) -> list[Finding]:
    """
    Return what is wrong or unlikely of a camera matrix.

    :param k: (3, 3), pixels; :param size: width and height of the images.
    """
    (width, height), findings = size, []
    if not _is_camera_matrix(k):
        return [Finding('matrix is no camera matrix', f'fx {k[0, 0]:g}, fy {k[1, 1]:g}, last row {k[2].tolist()}',
                        'expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels')]
    low, high = _FIELDS_OF_VIEW_DEG
    fov = _fov_deg(k, width)
    if not low < fov < high:
        findings.append(Finding('the focal length is unlikely',
                                f'fx {k[0, 0]:.1f} for {width} pixels: {fov:.0f} degrees of view',
                                'give fx in pixels of images of this width, not in millimetres'))
    if not 0.8 < k[1, 1] / k[0, 0] < 1.25:
        findings.append(Finding('pixels are far from square', f'fx {k[0, 0]:.1f}, fy {k[1, 1]:.1f}',
                                'was the image scaled differently in width and height, or are fx and cx swapped?'))
    if not (0.25 < k[0, 2] / width < 0.75 and 0.25 < k[1, 2] / height < 0.75):
        findings.append(Finding('the principal point is far from the middle',
                                f'cx {k[0, 2]:.1f} of {width}, cy {k[1, 2]:.1f} of {height}',
                                'are cx and cy swapped, or is the matrix for another size or a cut-out?'))
    return findings


def is_impossible(k: np.ndarray, size: tuple[int, int]) -> bool:
    """
    Tell whether a matrix can hardly belong to images of a size: it is none of a camera, or its centre is at an edge.

    That is where the centre of whole images lies in halved ones.

    :param k: (3, 3), pixels; :param size: width and height of the images.
    """
    low, high = _NOT_AT_AN_EDGE
    return not _is_camera_matrix(k) or not all(low < k[i, 2] / size[i] < high for i in range(2))


def _is_camera_matrix(k: np.ndarray) -> bool:
    return bool(k[0, 0] > 0 and k[1, 1] > 0 and np.allclose(k[2], [0, 0, 1]))


def _distortion(calibration: CameraCalibration) -> list[Finding]:
    model, count = calibration.distortion_model, len(calibration.distortion)
    if not calibration.distortion.any():
        return []
    if model not in COEFFICIENTS or count not in COEFFICIENTS[model]:
        known = '; '.join(f"{name}: {' or '.join(map(str, counts))}" for name, counts in COEFFICIENTS.items())
        return [Finding('the distortion is not known', f"{count} coefficients of '{model}'", f'known are {known}')]
    if model not in ('plumb_bob', 'brown_conrady'):
        return []
    k = calibration.matrix
    width, height = calibration.width, calibration.height
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]])
    reach = np.linalg.norm((corners - k[:2, 2]) / [k[0, 0], k[1, 1]], axis=1).max()
    radius = np.linspace(0, 1.2 * reach, 200)
    k1, k2, k3 = calibration.distortion[0], calibration.distortion[1], np.append(calibration.distortion, 0.0)[4]
    distorted = radius * (1 + k1 * radius**2 + k2 * radius**4 + k3 * radius**6)
    # Only as far as the image reaches: beyond, every polynomial turns round.
    within = distorted[:-1] < reach
    if (np.diff(distorted)[within] > 0).all():
        return []
    return [Finding('the distortion folds the image',
                    f'coefficients {calibration.distortion.tolist()} turn round before the corners',
                    'check their order (k1, k2, p1, p2, k3), or calibrate with boards near the corners')]


def _mirrored(calibration: CameraCalibration) -> list[Finding]:
    determinant = np.linalg.det(calibration.camera_from_lidar[:3, :3])
    if determinant > 0:
        return []
    return [Finding('camera_from_lidar mirrors space', f'its determinant is {determinant:.3f}',
                    'one axis has the wrong sign: lidar x forward, y left, z up; camera x right, y down, z forward')]


def _rotation(calibration: CameraCalibration) -> list[Finding]:
    if not np.allclose(calibration.camera_from_lidar[3], [0, 0, 0, 1]):
        return [Finding('camera_from_lidar is no 4x4 transform',
                        f'last row {calibration.camera_from_lidar[3].tolist()}',
                        'give it row by row with the last row 0 0 0 1; is it transposed?')]
    linear = calibration.camera_from_lidar[:3, :3]
    error = np.abs(linear - nearest_rotation(linear)).max()
    if error <= _ROTATION_TOLERANCE or np.linalg.det(linear) < 0:
        return []
    # What remains after the nearest camera that TF and CameraInfo can express.
    _, rigid = split_projection(calibration.matrix, calibration.camera_from_lidar)
    ahead = 20.0 * np.array([[1.0, y, z] for y in (-0.3, 0, 0.3) for z in (-0.2, 0)])
    points = calibration.camera_in_lidar + ahead @ _turn(calibration).T
    as_rigid = np.eye(4)
    as_rigid[:3] = calibration.matrix @ rigid[:3]
    shift = np.abs(project_points(as_rigid, points)[0] - project_points(calibration.img_from_lidar, points)[0]).max()
    return [Finding('camera_from_lidar is not a rotation',
                    f'{error:.3g} away from the nearest one; with that, points 20 m away move by up to {shift:.1f} px',
                    'if it is meant so (some data sets): send it as Calibration, which is exact, not as TF')]


def _direction(calibration: CameraCalibration) -> list[Finding]:
    rotation, turn = nearest_rotation(calibration.camera_from_lidar[:3, :3]), _turn(calibration)
    if _looks_ahead(rotation @ turn):
        return []
    axis, down = rotation[2], rotation[1]
    problem = 'the camera is not upright'
    if (rotation @ turn)[2, 0] < _MIN_FORWARD:
        looks = calibration.looks_deg
        problem = f'the camera does not look {f"{looks:g} degrees to the left" if looks else "ahead"}'
    advice = 'check the axes: lidar x forward, y left, z up; camera x right, y down, z forward'
    if _looks_ahead(rotation.T @ turn):
        advice = 'it looks like lidar_from_camera: invert the matrix'
    elif _looks_ahead(_OPTICAL_FROM_BODY @ rotation @ turn):
        advice = 'it leads to a camera frame with x forward: use the optical frame (x right, y down, z forward)'
    elif _looks_ahead(rotation @ rotation_z(np.arctan2(axis[1], axis[0]))):
        # Whole degrees in -179 to 180.
        yaw = 180 - round(180 - np.degrees(np.arctan2(axis[1], axis[0]))) % 360
        advice = f'if it is meant so: looks_deg: {yaw}; otherwise {advice}'
    return [Finding(problem, f'in the lidar frame it looks along {_words(axis)}, down in its image is {_words(down)}',
                    advice)]


def _turn(calibration: CameraCalibration) -> np.ndarray:
    """Return the rotation (3, 3) of axes that look where the camera should: lidar point = turn @ point there."""
    return rotation_z(np.radians(calibration.looks_deg))


def _looks_ahead(rotation: np.ndarray) -> bool:
    """Tell whether a camera_from_lidar rotation looks forward and stands upright (down of the image is -z)."""
    axis, down = rotation[2], rotation[1]
    level = np.sqrt(max(1 - axis[2] ** 2, 1e-9))
    return bool(axis[0] > _MIN_FORWARD and -down[2] > _MIN_UPRIGHT * level)


def _words(direction: np.ndarray) -> str:
    return '(' + ', '.join(f'{v:.2f}' for v in direction) + ')'


def _mounting(calibration: CameraCalibration) -> list[Finding]:
    mounting = calibration.mounting
    if mounting is None:
        return []
    linear = mounting.base_from_lidar[:3, :3]
    rotation = nearest_rotation(linear)
    findings = []
    if np.abs(linear - rotation).max() > _ROTATION_TOLERANCE:
        findings.append(Finding('base_from_lidar is not a rotation',
                                f'{np.abs(linear - rotation).max():.3g} away from the nearest one',
                                'measure it again; only some data sets are meant so'))
    if rotation[2, 2] < _MIN_LEVEL:
        angle = np.degrees(np.arccos(np.clip(rotation[2, 2], -1, 1)))
        findings.append(Finding('the lidar frame is not level', f"it is tilted by {angle:.0f} degrees against "
                                f"'{mounting.base_frame}'", 'the lidar frame is level with the road (x forward, y '
                                'left, z up), not that of the camera; check the axes of base_from_lidar'))
    return findings


def _height(calibration: CameraCalibration) -> list[Finding]:
    height = view_angles(calibration)['height_m']
    low, high = _HEIGHTS_M
    if low <= height <= high:
        return []
    return [Finding('the height of the camera is unlikely', f'{height:.2f} m above the road (ground_z '
                    f'{calibration.ground_z:g}), expected {low:g} to {high:g}',
                    'metres, not millimetres? ground_z is the height of the road in the lidar frame, mostly negative')]


def _ground(calibration: CameraCalibration) -> list[Finding]:
    yaw = np.radians(view_angles(calibration)['yaw_deg'])
    points = np.column_stack([_AHEAD_M * np.cos(yaw), _AHEAD_M * np.sin(yaw), np.zeros(len(_AHEAD_M))])
    points[:, :2] += calibration.camera_in_lidar[:2]
    points[:, 2] = calibration.ground_z
    pixels, depth = project_points(calibration.img_from_lidar, points)
    visible = (depth > 0) & (pixels >= 0).all(1) & (pixels < [calibration.width, calibration.height]).all(1)
    if not visible.any():
        return [Finding('the road ahead is not in the image',
                        f'no point of it from {_AHEAD_M[0]:g} to {_AHEAD_M[-1]:g} m ahead', 'check pitch and ground_z')]
    first = int(np.argmax(visible))
    if pixels[first, 1] >= calibration.height / 2:
        return []
    return [Finding('the road lies in the upper half of the image',
                    f'{_AHEAD_M[first]:g} m ahead it is in row {pixels[first, 1]:.0f} of {calibration.height}',
                    'check pitch and ground_z; is the image upside down?')]


def check_rig(cameras: Mapping[str, CameraCalibration]) -> list[Finding]:
    """
    Return what cannot be true of several cameras at once: they must share one lidar frame and its place.

    :param cameras: by name, the anchor first; those without a mounting are left out.
    """
    mounted = {name: camera for name, camera in cameras.items() if camera.mounting is not None}
    findings = []
    for name, camera in list(mounted.items())[1:]:
        anchor, first = next(iter(mounted.items()))
        own, other = camera.mounting, first.mounting
        if (own.lidar_frame, own.base_frame) != (other.lidar_frame, other.base_frame):
            findings.append(Finding(
                f'{name} and {anchor} are calibrated to different frames',
                f"'{own.lidar_frame}' on '{own.base_frame}' against '{other.lidar_frame}' on '{other.base_frame}'",
                'all cameras of an agent need one lidar frame'))
        elif not np.allclose(own.base_from_lidar, other.base_from_lidar, atol=1e-6):
            findings.append(Finding(
                f'{name} and {anchor} put the lidar frame at different places',
                f'base_from_lidar differs by up to {np.abs(own.base_from_lidar - other.base_from_lidar).max():.3g}',
                'write the same base_from_lidar into all files of an agent'))
        if camera.ground_z != first.ground_z:
            findings.append(Finding(
                f'{name} and {anchor} have the road at different heights',
                f'ground_z {camera.ground_z:g} against {first.ground_z:g} in the same frame',
                'write the same ground_z into all files of an agent'))
    return findings
