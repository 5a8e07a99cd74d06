"""By what angle the boxes of labels lie beside the edges of what the images show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...common.geometry import box_corners, project_points, split_projection
from ..dataset import CameraFrame, FrameRecord

_LEAST = (405, 720)
_ANGLES_DEG = np.round(np.arange(-3.0, 3.01, 0.15), 2)
_MIDDLE = (0.15, 0.85)
"""Share of a side of a box along which an edge is looked for: corners are round."""
_SMALLEST_PX, _WIDEST = 6.0, 0.5
_CLEAR = 3
"""Least ``visibility`` of a box that is looked at."""
_FEWEST_FIXED = 6
"""Frames from which the background of a camera that does not move is known."""


@dataclass(frozen=True)
class Shift:
    """
    Angles by which boxes lie beside the edges of objects, seen from the camera, degrees.

    ``yaw`` is too far right, ``pitch`` too far down; ``halves`` (2, 2) are those of two halves of the ``objects``.
    """

    yaw: float
    pitch: float
    halves: np.ndarray
    objects: int


def find_shift(records: Sequence[FrameRecord], camera: int) -> Shift | None:
    """
    Compare boxes with images of one camera.

    For every angle the four sides of the boxes are laid over the image; where the contrast across them is greatest on
    average of all objects, they belong. Of a camera that does not move only what changes is looked at.

    :param records: frames of one sequence with labels; :param camera: its index in each.
    :returns: None if no object is seen clearly.
    """
    views = [record.cameras[camera].read(_LEAST) for record in records]
    images = [cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32) for image, _ in views]
    if len(records) >= _FEWEST_FIXED and _is_fixed(records, camera):
        background = np.median(images, axis=0)
        images = [np.abs(image - background) for image in images]
    scores: dict[int, list[np.ndarray]] = {}
    for record, image, (_, projection) in zip(records, images, views, strict=True):
        sides = _Contrast(image, projection, record.cameras[camera])
        for row, rectangle in _rectangles(record, projection, image.shape):
            scores.setdefault(int(record.boxes.track_id[row]), []).append(sides.score(rectangle))
    # A parked vehicle counts as much as one that passes.
    objects = np.array([np.mean(own, axis=0) for _, own in sorted(scores.items())])
    if len(objects) < 2:
        return None
    halves = np.array([_best(objects[0::2]), _best(objects[1::2])])
    return Shift(*_best(objects), halves, len(objects))


def _is_fixed(records: Sequence[FrameRecord], camera: int) -> bool:
    first = records[0]
    return all(np.array_equal(r.global_from_ego, first.global_from_ego)
               and np.array_equal(r.cameras[camera].img_from_lidar, first.cameras[camera].img_from_lidar)
               for r in records)


def _rectangles(record: FrameRecord, projection: np.ndarray, shape: tuple[int, ...]):
    """Yield row and bounding rectangle (left, top, right, bottom) of the boxes that are whole in the image."""
    corners = box_corners(record.boxes)
    pixels, depth = project_points(projection, corners)
    height, width = shape[:2]
    for row in range(len(corners)):
        low, high = pixels[row].min(0), pixels[row].max(0)
        clear = len(record.visibility) == 0 or record.visibility[row] >= _CLEAR
        if (clear and (depth[row] > 1).all() and (low > 0).all() and (high < [width - 1, height - 1]).all()
                and (high - low > _SMALLEST_PX).all() and high[0] - low[0] < _WIDEST * width):
            yield row, np.concatenate([low, high])


class _Contrast:
    """Contrast across the sides of rectangles that are moved over one image."""

    def __init__(self, image: np.ndarray, projection: np.ndarray, camera: CameraFrame):
        """Sum contrast up along columns and rows, so that the mean over any side is one difference."""
        matrix, _ = split_projection(np.eye(3), projection)
        self._focal, self._middle = matrix[[0, 1], [0, 1]], matrix[:2, 2]
        across = np.abs(cv2.Sobel(image, cv2.CV_32F, 1, 0)).max(2)
        down = np.abs(cv2.Sobel(image, cv2.CV_32F, 0, 1)).max(2)
        self._least = 0.5 * (across.mean() + down.mean()) + 1e-6
        # The second is transposed: what is said of columns below holds for rows.
        self._sums = [np.pad(across.cumsum(0, np.float64), ((1, 0), (0, 0))),
                      np.pad(down.T.cumsum(0, np.float64), ((1, 0), (0, 0)))]

    def score(self, rectangle: np.ndarray) -> np.ndarray:
        """Return (yaws, pitches) the contrast of four sides, each relative to what it has on average."""
        x, y = (self._moved(rectangle[axis::2], axis) for axis in (0, 1))
        return self._sides(self._sums[0], x, y).T + self._sides(self._sums[1], y, x)

    def _moved(self, ends: np.ndarray, axis: int) -> np.ndarray:
        """Return (2, angles) where two pixels lie when the camera is turned back by each angle."""
        focal, middle = self._focal[axis], self._middle[axis]
        angles = np.arctan((ends[:, None] - middle) / focal) - np.radians(_ANGLES_DEG)
        return middle + focal * np.tan(angles)

    def _sides(self, sums: np.ndarray, at: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Return (angles along, angles across) for the two sides at columns ``at`` whose ends are ``along``."""
        rows, columns = sums.shape
        ends = along[0] + np.array(_MIDDLE)[:, None] * (along[1] - along[0])
        first, last = np.clip([np.floor(ends[0]), np.ceil(ends[1])], 0, rows - 1).astype(int)
        profile = (sums[last] - sums[first]) / np.maximum(last - first, 1)[:, None]
        total = np.zeros((len(first), at.shape[1]))
        for side in np.clip(at, 0, columns - 1.001):
            left = side.astype(int)
            part = side - left
            total += profile[:, left] * (1 - part) + profile[:, left + 1] * part
        return total / (total.mean() + self._least)


def _best(objects: np.ndarray) -> tuple[float, float]:
    """Return yaw and pitch of the greatest mean score, degrees."""
    mean = cv2.GaussianBlur(objects.mean(0), (0, 0), 1.0)
    yaw, pitch = np.unravel_index(mean.argmax(), mean.shape)
    return float(_ANGLES_DEG[yaw]), float(_ANGLES_DEG[pitch])
