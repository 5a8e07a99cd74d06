"""
Pictures of MarkerArray messages as RViz would show them, from above or in a camera image.

Markers are read by attribute only: those of rclpy, of a bag reader and of a test all will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from cooptrack_ros.common.colours import Colour
from cooptrack_ros.common.geometry import make_pose, rotation_from_quaternion, transform_points
from cooptrack_ros.viz.bev import BevView
from cooptrack_ros.viz.draw import bgr, fill, polyline, text
from cooptrack_ros.viz.overlay import clip_and_project

ADD, DELETE, DELETE_ALL = 0, 2, 3
ARROW, CUBE, LINE_STRIP, LINE_LIST, TEXT = 0, 1, 4, 5, 9
_ORDER = (CUBE, LINE_STRIP, LINE_LIST, ARROW, TEXT)
"""What is drawn later lies on top."""
_BACKGROUND = (38, 34, 32)
_GRID = (66, 62, 58)
_FONT_PX = 21.0
"""Height of a capital letter at size 1."""
_FONT_SIZES = (0.36, 0.8)
"""Text is never smaller or larger; in RViz one would come nearer."""
_UNIT_CUBE = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_EDGES = ((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7))
"""Of the cube: pairs of corners that differ along one axis."""


class MarkerDisplay:
    """What is on the screen after a sequence of MarkerArray messages."""

    def __init__(self) -> None:
        """Start with an empty screen."""
        self._shown: dict[tuple[str, int], tuple[Any, int | None]] = {}

    def take(self, markers: Iterable[Any], now_ns: int) -> None:
        """
        Do what the markers of one message say.

        :raises ValueError: for an action or a type that is not drawn here.
        """
        for marker in markers:
            key = marker.ns, marker.id
            if marker.action == DELETE_ALL:
                self._shown.clear()
            elif marker.action == DELETE:
                self._shown.pop(key, None)
            elif marker.action != ADD or marker.type not in _ORDER:
                raise ValueError(f'marker {key}: action {marker.action} or type {marker.type} is not drawn here')
            else:
                life_ns = marker.lifetime.sec * 10 ** 9 + marker.lifetime.nanosec
                self._shown[key] = marker, now_ns + life_ns if life_ns else None

    def visible(self, now_ns: int) -> list[Any]:
        """Return the markers that are there at a time, in the order in which they are drawn."""
        there = [marker for marker, end_ns in self._shown.values() if end_ns is None or now_ns < end_ns]
        return sorted(there, key=lambda marker: _ORDER.index(marker.type))


def draw_from_above(markers: Sequence[Any], view_from: Mapping[str, np.ndarray], size_px: int = 900,
                    reach_m: float = 50.0) -> np.ndarray:
    """
    Return the picture (size, size, 3) BGR of markers over a 10 m grid; x is up, y is left.

    :param view_from: by frame, the 4x4 matrix to the frame that is looked at; its origin is in the middle.
    :raises ValueError: for a marker in another frame.
    """
    image = np.full((size_px, size_px, 3), _BACKGROUND, np.uint8)
    view = BevView(size_px, reach_m)
    for offset in np.arange(-reach_m // 10 * 10, reach_m + 1, 10):
        for ends in ([[offset, -reach_m], [offset, reach_m]], [[-reach_m, offset], [reach_m, offset]]):
            polyline(image, view.pixels(np.array(ends)), _GRID)
    for frame, matrix in view_from.items():
        for axis, colour in ((0, (0, 0, 255)), (1, (0, 255, 0))):
            polyline(image, view.pixels(transform_points(matrix, np.stack([np.zeros(3), np.eye(3)[axis] * 3]))),
                     colour, 2)
        text(image, frame, view.pixels(matrix[:2, 3]) + [6, 14], (150, 145, 140), 0.4)
    _draw(_Above(image, view), markers, view_from)
    return image


def draw_in_camera(markers: Sequence[Any], view_from: Mapping[str, np.ndarray], camera_image: np.ndarray,
                   img_from_view: np.ndarray) -> np.ndarray:
    """
    Return a copy of a camera image (H, W, 3) BGR with markers drawn over it.

    :param view_from: by frame, the 4x4 matrix to the frame from which ``img_from_view`` (4x4) projects to pixels.
    :raises ValueError: for a marker in another frame.
    """
    image = camera_image.copy()
    _draw(_Through(image, img_from_view), markers, view_from)
    return image


class _Painter(Protocol):
    """Where 3D points of the view's frame go in a picture."""

    image: np.ndarray

    def segment(self, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
        """Return the pixels (2, 2) of a line, None if it is not to be seen."""

    def scale(self, point: np.ndarray) -> float:
        """Return pixels per metre at a point."""


class _Above:
    def __init__(self, image: np.ndarray, view: BevView):
        self.image, self._view = image, view

    def segment(self, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
        return self._view.pixels(np.stack([start, end]))

    def scale(self, point: np.ndarray) -> float:
        return self._view.scale


class _Through:
    def __init__(self, image: np.ndarray, img_from_view: np.ndarray):
        self.image, self._matrix = image, img_from_view
        self._focal_px = np.sqrt(abs(np.linalg.det(img_from_view[:3, :3])))

    def segment(self, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
        return clip_and_project(self._matrix, start, end)

    def scale(self, point: np.ndarray) -> float:
        return float(self._focal_px / max(self._matrix[2, :3] @ point + self._matrix[2, 3], 1.0))


def _draw(painter: _Painter, markers: Sequence[Any], view_from: Mapping[str, np.ndarray]) -> None:
    kinds = {CUBE: _cube, LINE_STRIP: _strip, LINE_LIST: _lines, ARROW: _arrow, TEXT: _words}
    for marker in markers:
        if marker.header.frame_id not in view_from:
            raise ValueError(f"marker ({marker.ns}, {marker.id}) is in the frame '{marker.header.frame_id}', known are "
                             f"{', '.join(view_from)}")
        position, turn = marker.pose.position, marker.pose.orientation
        pose = make_pose(rotation_from_quaternion((turn.w, turn.x, turn.y, turn.z)),
                         np.array([position.x, position.y, position.z]))
        kinds[marker.type](painter, marker, view_from[marker.header.frame_id] @ pose)


def _colour(marker: Any) -> tuple[int, int, int]:
    rgb: Colour = marker.color.r, marker.color.g, marker.color.b
    return bgr(rgb)


def _points(marker: Any, view_from_marker: np.ndarray) -> np.ndarray:
    points = np.array([[p.x, p.y, p.z] for p in marker.points]).reshape(-1, 3)
    return transform_points(view_from_marker, points)


def _cube(painter: _Painter, marker: Any, view_from_marker: np.ndarray) -> None:
    size = np.array([marker.scale.x, marker.scale.y, marker.scale.z])
    corners = transform_points(view_from_marker, _UNIT_CUBE * size)
    edges = [painter.segment(corners[a], corners[b]) for a, b in _EDGES]
    seen = [edge for edge in edges if edge is not None]
    if seen:
        hull = cv2.convexHull(np.clip(np.concatenate(seen), -1e4, 1e4).astype(np.float32))[:, 0]
        fill(painter.image, hull, _colour(marker), marker.color.a)
    for edge in seen:
        polyline(painter.image, edge, _colour(marker))


def _strip(painter: _Painter, marker: Any, view_from_marker: np.ndarray) -> None:
    points = _points(marker, view_from_marker)
    for start, end in zip(points[:-1], points[1:]):
        _line(painter, marker, start, end)


def _lines(painter: _Painter, marker: Any, view_from_marker: np.ndarray) -> None:
    points = _points(marker, view_from_marker)
    for start, end in zip(points[::2], points[1::2], strict=True):
        _line(painter, marker, start, end)


def _line(painter: _Painter, marker: Any, start: np.ndarray, end: np.ndarray) -> None:
    pixels = painter.segment(start, end)
    if pixels is not None:
        width = round(marker.scale.x * painter.scale((start + end) / 2))
        polyline(painter.image, pixels, _colour(marker), int(np.clip(width, 1, 6)))


def _arrow(painter: _Painter, marker: Any, view_from_marker: np.ndarray) -> None:
    start, end = _points(marker, view_from_marker)
    pixels = painter.segment(start, end)
    if pixels is None:
        return
    ends = [tuple(int(v) for v in np.clip(p, -1e4, 1e4)) for p in pixels]
    width = round(marker.scale.x * painter.scale(end))
    tip = min(marker.scale.z / max(float(np.linalg.norm(end - start)), 1e-6), 0.5)
    cv2.arrowedLine(painter.image, *ends, _colour(marker), int(np.clip(width, 1, 6)), cv2.LINE_AA, tipLength=tip)


def _words(painter: _Painter, marker: Any, view_from_marker: np.ndarray) -> None:
    place = view_from_marker[:3, 3]
    pixels = painter.segment(place, place)
    if pixels is not None:
        size = float(np.clip(marker.scale.z * painter.scale(place) / _FONT_PX, *_FONT_SIZES))
        lines = marker.text.split('\n')
        for number, words in enumerate(lines):
            down = (number - (len(lines) - 1) / 2) * 1.2 * size * _FONT_PX
            text(painter.image, words, np.clip(pixels[0] + [0, down], -1e4, 1e4), _colour(marker), size, centred=True)
