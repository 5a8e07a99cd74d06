"""A picture that shows whether a calibration fits: the road and a car drawn into a camera image."""

from __future__ import annotations

import numpy as np

from ..common.geometry import rotation_z
from ..common.types import Boxes
from ..sensors.calibration_check import view_angles
from ..sensors.calibration_file import CameraCalibration
from ..sensors.lens import Lens
from .draw import polyline, text
from .overlay import clip_and_project, draw_boxes

_FORWARD_M = np.arange(0, 81, 10)
_SIDE_M = np.arange(-20, 21, 10)
_SIDE_LABELS_M = 30.0
"""How far ahead the distances to the side are written."""
_STEP_M = 1.0
_LABEL_PX = (60, 16)
_CAR_M = (15.0, 4.5, 1.9, 1.6)
"""Distance of its centre, length, width, height."""
_GRID, _AXIS, _CAR, _WORDS = (120, 220, 120), (60, 200, 255), (80, 120, 255), (255, 255, 255)


def draw_calibration(image: np.ndarray, calibration: CameraCalibration) -> np.ndarray:
    """
    Return a copy without distortion with a 10 m grid on the road, and a car 15 m away from the lidar.

    Both lie where the file says that the camera looks.

    :param image: (height, width, 3) BGR of the size that the calibration is for.
    """
    image = image.copy()
    if calibration.distortion.any():
        image = Lens(calibration.width, calibration.height, calibration.matrix, calibration.distortion_model,
                     calibration.distortion).undistort(image)
    for x in _FORWARD_M:
        _line(image, calibration, (x, _SIDE_M[0]), (x, _SIDE_M[-1]), _GRID)
    for y in _SIDE_M:
        _line(image, calibration, (0, y), (_FORWARD_M[-1], y), _GRID if y else _AXIS)
    distance, *size = _CAR_M
    centre = _ground(calibration, (distance, 0)) + [0, 0, size[2] / 2]
    car = Boxes(centre[None], np.array([size]), np.radians([calibration.looks_deg]), np.zeros((1, 2)),
                np.zeros(1, np.int64), np.ones(1), np.zeros(1, np.int64))
    draw_boxes(image, car, calibration.img_from_lidar, label=False, colour=_CAR)
    labels = [((x, 0), f'{x} m') for x in _FORWARD_M[1:]]
    labels += [((_SIDE_LABELS_M, y), f"{abs(y)} m {'left' if y > 0 else 'right'}") for y in _SIDE_M[_SIDE_M != 0]]
    _write(image, calibration, labels)
    angles = view_angles(calibration)
    text(image, f"camera {angles['height_m']:.2f} m above the road, pitch {angles['pitch_deg']:.1f} deg down, yaw "
         f"{angles['yaw_deg']:.1f} deg left, field of view {angles['fov_deg']:.0f} deg", (10, 22), _WORDS, 0.55)
    text(image, 'grid: road, every 10 m from the lidar; box: car of 4.5 x 1.9 x 1.6 m, centre 15 m away', (10, 44),
         _WORDS, 0.55)
    return image


def _ground(calibration: CameraCalibration, place) -> np.ndarray:
    """Return a point on the road; :param place: metres ahead and to the left, seen along the camera."""
    return rotation_z(np.radians(calibration.looks_deg)) @ [*place, calibration.ground_z]


def _line(image: np.ndarray, calibration: CameraCalibration, start, end, colour) -> None:
    """Draw a line on the road in pieces: one that passes beside the camera would be cut as a whole."""
    start, end = _ground(calibration, start), _ground(calibration, end)
    count = int(np.ceil(np.linalg.norm(end - start) / _STEP_M))
    points = np.linspace(start, end, count + 1)
    for a, b in zip(points[:-1], points[1:]):
        piece = clip_and_project(calibration.img_from_lidar, a, b)
        if piece is not None:
            polyline(image, piece, colour, 1)


def _write(image: np.ndarray, calibration: CameraCalibration, labels: list[tuple[tuple[float, float], str]]) -> None:
    """Write words at places on the road, but not over each other; what comes first is kept."""
    taken = np.zeros((0, 2))
    for place, words in labels:
        point = _ground(calibration, place)
        line = clip_and_project(calibration.img_from_lidar, point, point)
        if line is None or (line[0] < 0).any() or (line[0] >= image.shape[1::-1]).any():
            continue
        if (np.abs(taken - line[0]) >= _LABEL_PX).any(1).all():
            text(image, words, line[0] + [4, -4], _AXIS, 0.5)
            taken = np.vstack([taken, line[:1]])
