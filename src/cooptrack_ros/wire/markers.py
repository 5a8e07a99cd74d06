"""Tracked boxes as RViz markers: box, heading, velocity and text per track, deleted when the track is gone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ..core.colour import identity_colour
from ..core.types import CLASS_NAMES, Boxes

NAMESPACES = ('boxes', 'heading', 'velocity', 'label')
_ARROW_WIDTHS = (0.15, 0.35, 0.5)
"""Shaft diameter, head diameter, head length, metres."""
_MIN_SPEED = 0.3
"""Slower velocities (m/s) give no arrow."""


def track_markers(boxes: Boxes, header: Header, previous_ids: Iterable[int] = (), opacity: float = 0.5,
                  colour: tuple[float, float, float] | None = None) -> MarkerArray:
    """
    Return markers of one frame.

    The marker id is the track id, so a display moves markers instead of piling them up.

    :param boxes: N boxes in the frame of ``header``; ``track_id`` must be unique and not negative.
    :param previous_ids: track ids of the frame published before; those that are gone are deleted.
    :param opacity: of the boxes, 0..1.
    :param colour: red, green, blue for all boxes (ground truth, say); by default one colour per identity.
    """
    markers = MarkerArray()
    current = {int(i) for i in boxes.track_id}
    for gone in sorted({int(i) for i in previous_ids} - current):
        markers.markers.extend(_marker(header, namespace, gone, Marker.DELETE) for namespace in NAMESPACES)
    for i in range(len(boxes)):
        box = boxes[i:i + 1]
        tint = colour or identity_colour(int(box.track_id[0]))
        markers.markers.extend((
            _box(header, box, tint, opacity), _heading(header, box, tint), _velocity(header, box, tint),
            _text(header, box)))
    return markers


def _marker(header: Header, namespace: str, track_id: int, action: int = Marker.ADD) -> Marker:
    marker = Marker(header=header, ns=namespace, id=track_id, action=action)
    marker.pose.orientation.w = 1.0
    return marker


def _box(header: Header, box: Boxes, tint: tuple[float, float, float], opacity: float) -> Marker:
    marker = _marker(header, 'boxes', int(box.track_id[0]))
    marker.type = Marker.CUBE
    marker.pose.position = _point(box.centre[0])
    marker.pose.orientation.z = float(np.sin(box.yaw[0] / 2))
    marker.pose.orientation.w = float(np.cos(box.yaw[0] / 2))
    marker.scale.x, marker.scale.y, marker.scale.z = (float(s) for s in box.size[0])
    marker.color = _colour(tint, opacity)
    return marker


def _heading(header: Header, box: Boxes, tint: tuple[float, float, float]) -> Marker:
    """Return an arrow on the roof from the centre to one metre ahead of the front."""
    marker = _marker(header, 'heading', int(box.track_id[0]))
    direction = np.array([np.cos(box.yaw[0]), np.sin(box.yaw[0]), 0.0])
    roof = box.centre[0] + [0.0, 0.0, box.size[0, 2] / 2]
    return _arrow(marker, roof, roof + direction * (box.size[0, 0] / 2 + 1.0), tint)


def _velocity(header: Header, box: Boxes, tint: tuple[float, float, float]) -> Marker:
    """Return an arrow at half height to the place one second ahead; none if slow or unknown."""
    speed = np.hypot(*box.velocity[0])
    if not speed >= _MIN_SPEED:
        # Deleting what is not there does no harm, and a track that stops loses its arrow.
        return _marker(header, 'velocity', int(box.track_id[0]), Marker.DELETE)
    marker = _marker(header, 'velocity', int(box.track_id[0]))
    return _arrow(marker, box.centre[0], box.centre[0] + [*box.velocity[0], 0.0], tint)


def _text(header: Header, box: Boxes) -> Marker:
    marker = _marker(header, 'label', int(box.track_id[0]))
    marker.type = Marker.TEXT_VIEW_FACING
    marker.pose.position = _point(box.centre[0] + [0.0, 0.0, box.size[0, 2] / 2 + 0.8])
    marker.scale.z = 0.8
    marker.color = _colour((1.0, 1.0, 1.0), 1.0)
    marker.text = f'{CLASS_NAMES[int(box.label[0])]} {int(box.track_id[0])} {float(box.score[0]):.2f}'
    return marker


def _arrow(marker: Marker, start: np.ndarray, end: np.ndarray, tint: tuple[float, float, float]) -> Marker:
    marker.type = Marker.ARROW
    marker.points = [_point(start), _point(end)]
    marker.scale.x, marker.scale.y, marker.scale.z = _ARROW_WIDTHS
    marker.color = _colour(tint, 1.0)
    return marker


def _point(xyz: np.ndarray) -> Point:
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _colour(tint: tuple[float, float, float], opacity: float) -> ColorRGBA:
    return ColorRGBA(r=tint[0], g=tint[1], b=tint[2], a=opacity)
