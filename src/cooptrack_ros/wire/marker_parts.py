"""The kinds of marker that we use: cube, outline of a box, arrow, line strip, line and text."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from ..core.colour import Colour
from ..core.geometry import box_corners
from ..core.types import Boxes

_EDGES = (0, 1, 1, 2, 2, 3, 3, 0, 4, 5, 5, 6, 6, 7, 7, 4, 0, 4, 1, 5, 2, 6, 3, 7)
"""Pairs of ``box_corners``."""
_WHITE: Colour = (1.0, 1.0, 1.0)


def new_marker(header: Header, namespace: str, marker_id: int, action: int = Marker.ADD) -> Marker:
    """Return a marker with an identity pose."""
    marker = Marker(header=header, ns=namespace, id=marker_id, action=action)
    marker.pose.orientation.w = 1.0
    return marker


def cube(marker: Marker, box: Boxes, tint: Colour, opacity: float) -> Marker:
    """Make a marker the cube of a single box."""
    marker.type = Marker.CUBE
    marker.pose.position = point(box.centre[0])
    marker.pose.orientation.z = float(np.sin(box.yaw[0] / 2))
    marker.pose.orientation.w = float(np.cos(box.yaw[0] / 2))
    marker.scale.x, marker.scale.y, marker.scale.z = (float(s) for s in box.size[0])
    marker.color = _colour(tint, opacity)
    return marker


def outline(marker: Marker, box: Boxes, tint: Colour, width_m: float) -> Marker:
    """Make a marker the twelve edges of a single box."""
    corners = _points(box_corners(box)[0])
    return _lines(marker, Marker.LINE_LIST, [corners[i] for i in _EDGES], tint, width_m)


def arrow(marker: Marker, start: np.ndarray, end: np.ndarray, tint: Colour, shaft_m: float) -> Marker:
    """Make a marker an arrow between two points (3,); its head is 2.3 shafts wide and 3.3 long."""
    marker.type = Marker.ARROW
    marker.points = [point(start), point(end)]
    marker.scale.x, marker.scale.y, marker.scale.z = shaft_m, 2.3 * shaft_m, 3.3 * shaft_m
    marker.color = _colour(tint, 1.0)
    return marker


def strip(marker: Marker, points: np.ndarray, tint: Colour, width_m: float) -> Marker:
    """
    Make a marker a line through points (n, 3).

    Its pose is the last point and the others count from there: displays hold points in single precision, which is
    decimetres in a map whose coordinates are millions of metres.
    """
    marker.pose.position = point(points[-1])
    return _lines(marker, Marker.LINE_STRIP, _points(points - points[-1]), tint, width_m)


def line(marker: Marker, start: np.ndarray, end: np.ndarray, tint: Colour, width_m: float) -> Marker:
    """Make a marker a line between two points (3,)."""
    return _lines(marker, Marker.LINE_LIST, [point(start), point(end)], tint, width_m)


def words(marker: Marker, position: np.ndarray, text: str, height_m: float, tint: Colour = _WHITE) -> Marker:
    """Make a marker a text that faces the viewer, centred at a point (3,)."""
    marker.type = Marker.TEXT_VIEW_FACING
    marker.pose.position = point(position)
    marker.scale.z = height_m
    marker.color = _colour(tint, 1.0)
    marker.text = text
    return marker


def point(xyz: np.ndarray) -> Point:
    """Return three numbers as a message."""
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _points(points: np.ndarray) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]


def _lines(marker: Marker, kind: int, points: list[Point], tint: Colour, width_m: float) -> Marker:
    marker.type = kind
    marker.points = points
    marker.scale.x = width_m
    marker.color = _colour(tint, 1.0)
    return marker


def _colour(tint: Colour, opacity: float) -> ColorRGBA:
    return ColorRGBA(r=tint[0], g=tint[1], b=tint[2], a=opacity)
