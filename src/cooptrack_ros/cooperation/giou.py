"""Generalised intersection over union of oriented 3D boxes (method.md 17.2)."""

from __future__ import annotations

import numpy as np

from ..common.geometry import box_corners
from ..common.types import Boxes


def giou_3d(first: Boxes, second: Boxes) -> np.ndarray:
    """
    Return the generalised IoU of every pair (N, M), from -1 (far apart) to 1 (the same box).

    Boxes are upright: footprints are cut as polygons, heights as intervals. The hull is the convex hull of both
    footprints times the height that both span together.
    """
    result = np.zeros((len(first), len(second)))
    corners_a, corners_b = box_corners(first)[:, :4, :2], box_corners(second)[:, :4, :2]
    volume_a, volume_b = first.size.prod(axis=1), second.size.prod(axis=1)
    low = np.stack(np.broadcast_arrays(_bottom(first)[:, None], _bottom(second)[None]))
    high = np.stack(np.broadcast_arrays(_top(first)[:, None], _top(second)[None]))
    common = np.maximum(high.min(0) - low.max(0), 0)
    joint = high.max(0) - low.min(0)
    reach = np.hypot(*first.size[:, :2].T)[:, None] / 2 + np.hypot(*second.size[:, :2].T)[None] / 2
    near = np.linalg.norm(first.centre[:, None, :2] - second.centre[None, :, :2], axis=-1) < reach
    for i, a in enumerate(corners_a):
        for j, b in enumerate(corners_b):
            overlap = _area(_clip(a.tolist(), b.tolist())) if near[i, j] and common[i, j] > 0 else 0.0
            intersection = overlap * common[i, j]
            union = volume_a[i] + volume_b[j] - intersection
            hull = _area(_convex_hull(a.tolist() + b.tolist())) * joint[i, j]
            result[i, j] = intersection / union - (hull - union) / hull
    return result


def _bottom(boxes: Boxes) -> np.ndarray:
    return boxes.centre[:, 2] - boxes.size[:, 2] / 2


def _top(boxes: Boxes) -> np.ndarray:
    return boxes.centre[:, 2] + boxes.size[:, 2] / 2


def _area(polygon: list) -> float:
    return abs(sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(polygon, polygon[1:] + polygon[:1]))) / 2


def _side(start, end, point) -> float:
    """Return a positive number if the point lies left of the line, 0 on it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _counter_clockwise(polygon: list) -> list:
    return polygon if _side(*polygon[:3]) > 0 else polygon[::-1]


def _clip(subject: list, window: list) -> list:
    """Return the part of a convex polygon inside a convex window (Sutherland-Hodgman)."""
    window = _counter_clockwise(window)
    for start, end in zip(window, window[1:] + window[:1]):
        kept = []
        for p, q in zip(subject, subject[1:] + subject[:1]):
            at_p, at_q = _side(start, end, p), _side(start, end, q)
            if at_p >= 0:
                kept.append(p)
            if at_p * at_q < 0:
                share = at_p / (at_p - at_q)
                kept.append([p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])])
        subject = kept
    return subject


def _convex_hull(points: list) -> list:
    """Return the convex hull (monotone chain)."""
    points = sorted(points)
    half = []
    for ordered in (points, points[::-1]):
        chain: list = []
        for point in ordered:
            while len(chain) > 1 and _side(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        half += chain[:-1]
    return half
