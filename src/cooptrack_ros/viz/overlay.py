"""Boxes drawn into camera images."""

from __future__ import annotations

import numpy as np

from ..common.geometry import box_corners
from ..common.types import Boxes
from .draw import bgr_of, dashed, polyline, text

_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
_FRONT = ((0, 5), (1, 4))
"""Diagonals of the front face."""
_NEAR_M = 0.5


def clip_and_project(img_from_lidar: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Return the two pixels (2, 2) of a line of 3D points cut at the near plane; None if it lies behind."""
    points = np.stack([start, end]) @ img_from_lidar[:3, :3].T + img_from_lidar[:3, 3]
    depth = points[:, 2]
    if (depth < _NEAR_M).all():
        return None
    if (depth < _NEAR_M).any():
        t = (_NEAR_M - depth[0]) / (depth[1] - depth[0])
        points[int(depth[1] < _NEAR_M)] = points[0] + t * (points[1] - points[0])
    return points[:, :2] / points[:, 2:]


def projected_lines(shape: tuple[int, ...], boxes: Boxes, img_from_lidar: np.ndarray) -> dict[int, list[np.ndarray]]:
    """Return the edges (2, 2) in pixels of each box, by its row, of which something is in an image of a shape."""
    found = {}
    for row, corners in enumerate(box_corners(boxes)):
        lines = [clip_and_project(img_from_lidar, corners[a], corners[b]) for a, b in _EDGES]
        drawn = [line for line in lines if line is not None and _touches(line, shape)]
        if drawn:
            found[row] = drawn
    return found


def draw_boxes(image: np.ndarray, boxes: Boxes, img_from_lidar: np.ndarray, label: bool = True,
               colour: tuple[int, int, int] | None = None, is_dashed: bool = False, thickness: int = 2) -> None:
    """
    Draw boxes in place, coloured by identity unless a BGR colour is given; a cross marks the front.

    :param img_from_lidar: 4x4 to pixels of ``image``, from the frame of the boxes.
    """
    all_corners = box_corners(boxes)
    for row, drawn in projected_lines(image.shape, boxes, img_from_lidar).items():
        corners, number = all_corners[row], int(boxes.track_id[row])
        tint = colour or bgr_of(number)
        for line in drawn:
            if is_dashed:
                dashed(image, line, tint, 1, 5.0, closed=False)
            else:
                polyline(image, line, tint, thickness)
        for a, b in _FRONT if not is_dashed else ():
            line = clip_and_project(img_from_lidar, corners[a], corners[b])
            if line is not None:
                polyline(image, line, tint, 1)
        if label:
            top = min((line for line in drawn), key=lambda line: line[:, 1].min())
            place = np.clip(top[top[:, 1].argmin()], [4, 16], [image.shape[1] - 40, image.shape[0] - 4])
            text(image, f'{number}', place + [2, -4], size=0.55)


def _touches(line: np.ndarray, shape: tuple[int, ...]) -> bool:
    low, high = line.min(0), line.max(0)
    return bool(high[0] >= 0 and high[1] >= 0 and low[0] < shape[1] and low[1] < shape[0])
