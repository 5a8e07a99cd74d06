"""The kinds of marker that we use: cube, outline of a box, arrow, line strip, line and text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from ..common.colours import Colour

Place = Sequence[float]
"""x, y, z in metres."""

_EDGES = (0, 1, 1, 2, 2, 3, 3, 0, 4, 5, 5, 6, 6, 7, 7, 4, 0, 4, 1, 5, 2, 6, 3, 7)
"""Pairs of ``box_corners``."""
_UPRIGHT = Quaternion(w=1.0)
_PLAIN = Marker(pose=Pose(orientation=_UPRIGHT))
_PARTS = tuple((slot, getattr(_PLAIN, slot)) for slot in Marker.__slots__)
"""What ``copy`` would set, which takes three times as long."""


def new_marker(header: Header, namespace: str, marker_id: int, action: int = Marker.ADD) -> Marker:
    """
    Return a marker with an identity pose.

    It shares its parts with others, which saves most of the time that markers cost: replace them, never change them.
    """
    marker = Marker.__new__(Marker)
    for slot, part in _PARTS:
        setattr(marker, slot, part)
    marker.header, marker.ns, marker.id, marker.action = header, namespace, marker_id, action
    return marker


def cube(marker: Marker, centre: Place, size: Sequence[float], yaw: float, tint: Colour, opacity: float) -> Marker:
    """Make a marker the cube of a box with length, width and height."""
    marker.type = Marker.CUBE
    marker.pose = Pose(position=_point(centre), orientation=Quaternion(
        z=float(np.sin(yaw / 2)), w=float(np.cos(yaw / 2))))
    marker.scale = Vector3(x=size[0], y=size[1], z=size[2])
    marker.color = _colour(tint, opacity)
    return marker


def outline(marker: Marker, corners: Sequence[Place], tint: Colour, width_m: float) -> Marker:
    """Make a marker the twelve edges of a box; :param corners: eight as ``box_corners`` has them."""
    points = [_point(corner) for corner in corners]
    return _lines(marker, Marker.LINE_LIST, [points[i] for i in _EDGES], tint, width_m)


def arrow(marker: Marker, start: Place, end: Place, tint: Colour, shaft_m: float) -> Marker:
    """Make a marker an arrow between two points; its head is 2.3 shafts wide and 3.3 long."""
    marker.type = Marker.ARROW
    marker.points = [_point(start), _point(end)]
    marker.scale = Vector3(x=shaft_m, y=2.3 * shaft_m, z=3.3 * shaft_m)
    marker.color = _colour(tint, 1.0)
    return marker


def strip(marker: Marker, points: np.ndarray, tint: Colour, width_m: float) -> Marker:
    """
    Make a marker a line through points (n, 3).

    Its pose is the last point and the others count from there: displays hold points in single precision, which is
    decimetres in a map whose coordinates are millions of metres.
    """
    marker.pose = _at(points[-1].tolist())
    return _lines(marker, Marker.LINE_STRIP, [_point(p) for p in (points - points[-1]).tolist()], tint, width_m)


def line(marker: Marker, start: Place, end: Place, tint: Colour, width_m: float) -> Marker:
    """Make a marker a line between two points."""
    return _lines(marker, Marker.LINE_LIST, [_point(start), _point(end)], tint, width_m)


def words(marker: Marker, place: Place, text: str, height_m: float, tint: Colour) -> Marker:
    """Make a marker a text that faces the viewer, centred at a point."""
    marker.type = Marker.TEXT_VIEW_FACING
    marker.pose = _at(place)
    marker.scale = Vector3(z=height_m)
    marker.color = _colour(tint, 1.0)
    marker.text = text
    return marker


def _point(place: Place) -> Point:
    return Point(x=place[0], y=place[1], z=place[2])


def _at(place: Place) -> Pose:
    return Pose(position=_point(place), orientation=_UPRIGHT)


def _lines(marker: Marker, kind: int, points: list[Point], tint: Colour, width_m: float) -> Marker:
    marker.type = kind
    marker.points = points
    marker.scale = Vector3(x=width_m)
    marker.color = _colour(tint, 1.0)
    return marker


@lru_cache(maxsize=64)
def _colour(tint: Colour, opacity: float) -> ColorRGBA:
    return ColorRGBA(r=tint[0], g=tint[1], b=tint[2], a=opacity)
