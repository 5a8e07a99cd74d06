"""Tracks, their past, what units sent and what was fused, as RViz markers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from ..core.colour import RECEIVED_COLOUR, ROADSIDE_COLOUR, Colour, identity_colour
from ..core.types import CLASS_NAMES, Boxes
from .marker_parts import arrow, cube, line, new_marker, outline, strip, words

_SHAFT_M, _THIN_SHAFT_M = 0.15, 0.08
_MIN_SPEED = 0.3
"""Slower velocities (m/s) give no arrow."""
_MIN_TRAIL_M = 0.5
"""What moved less has no trail: it would be a scribble."""
_LIFT_M = 0.3
"""Links run so far above the roofs, outside the boxes that they connect."""
_BESIDE_M = (-1.9, 0.0, 0.0)
"""From a link to its affinity: also from above, the text must not lie on the label of the track."""


def track_markers(boxes: Boxes, header: Header, colours: Sequence[Colour] | None = None,
                  opacity: float = 0.5) -> list[Marker]:
    """
    Return ``boxes``, ``heading``, ``velocity`` and ``label`` of tracks; their id is that of the track.

    :param boxes: N boxes in the frame of ``header``; identities must be unique.
    :param colours: (N,) red, green, blue; by default one colour per identity.
    :param opacity: of the boxes, 0..1.
    """
    markers = []
    for i in range(len(boxes)):
        box, number = boxes[i:i + 1], int(boxes.track_id[i])
        tint = colours[i] if colours is not None else identity_colour(number)
        label = f'{CLASS_NAMES[int(box.label[0])]} {number} {float(box.score[0]):.2f}'
        markers.append(cube(new_marker(header, 'boxes', number), box, tint, opacity))
        markers += _motion(header, '', number, box, tint, _SHAFT_M)
        markers.append(words(new_marker(header, 'label', number), _roof(box, 0.8), label, 0.8))
    return markers


def received_markers(received: Boxes, units: Sequence[str], header: Header) -> list[Marker]:
    """
    Return what units sent: as for tracks, but below ``infra/``, and thin and grey.

    :param received: M boxes in the frame of ``header``, with the identities of their units.
    :param units: (M,) name of the unit of each.
    """
    markers = []
    for i, unit in enumerate(units):
        box, identity = received[i:i + 1], int(received.track_id[i])
        number = received_id(unit, identity)
        label = f'{unit}/{identity} {CLASS_NAMES[int(box.label[0])]} {float(box.score[0]):.2f}'
        markers.append(outline(new_marker(header, 'infra/boxes', number), box, RECEIVED_COLOUR, 0.06))
        markers += _motion(header, 'infra/', number, box, RECEIVED_COLOUR, _THIN_SHAFT_M)
        markers.append(words(new_marker(header, 'infra/label', number), _roof(box, 1.7), label, 0.5, RECEIVED_COLOUR))
    return markers


def received_id(unit: str, track_id: int) -> int:
    """Return the marker id of an identity of a unit: 31 bits that depend on nothing else, so it is always the same."""
    return zlib.crc32(f'{unit}/{track_id}'.encode()) & 0x7fffffff


def trail_markers(trails: Iterable[tuple[int, np.ndarray]], map_header: Header,
                  colours: Sequence[Colour]) -> list[Marker]:
    """
    Return ``trail`` of tracks; those that stand have none.

    :param trails: identity and positions (n, 3) in the frame of ``map_header``, oldest first.
    :param colours: red, green, blue, one for each trail.
    """
    return [strip(new_marker(map_header, 'trail', number), points, tint, 0.12)
            for (number, points), tint in zip(trails, colours, strict=True)
            if len(points) > 1 and np.ptp(points[:, :2], axis=0).max() >= _MIN_TRAIL_M]


def link_markers(tracks: Boxes, received: Boxes, links: Iterable[tuple[int, int, float]],
                 header: Header) -> list[Marker]:
    """
    Return ``links``: a line with the id of the track, and the affinity as text with the negative id.

    :param tracks, received: boxes in the frame of ``header``.
    :param links: rows of both and affinity; a track has at most one link.
    """
    markers = []
    for row, column, affinity in links:
        start, end = _roof(tracks[row:row + 1], _LIFT_M), _roof(received[column:column + 1], _LIFT_M)
        number = int(tracks.track_id[row])
        markers.append(line(new_marker(header, 'links', number), start, end, ROADSIDE_COLOUR, 0.12))
        markers.append(words(new_marker(header, 'links', -number), (start + end) / 2 + _BESIDE_M, f'{affinity:.2f}',
                             0.6, ROADSIDE_COLOUR))
    return markers


def _motion(header: Header, prefix: str, number: int, box: Boxes, tint: Colour, shaft_m: float) -> list[Marker]:
    """Return an arrow on the roof to one metre ahead of the front, and one to the place a second ahead if it moves."""
    forward = np.array([np.cos(box.yaw[0]), np.sin(box.yaw[0]), 0.0])
    roof = _roof(box)
    markers = [arrow(new_marker(header, f'{prefix}heading', number), roof,
                     roof + forward * (box.size[0, 0] / 2 + 1.0), tint, shaft_m)]
    # Not so for NaN, which is unknown.
    if np.hypot(*box.velocity[0]) >= _MIN_SPEED:
        markers.append(arrow(new_marker(header, f'{prefix}velocity', number), box.centre[0],
                             box.centre[0] + [*box.velocity[0], 0.0], tint, shaft_m))
    return markers


def _roof(box: Boxes, above_m: float = 0.0) -> np.ndarray:
    """Return the point (3,) over the centre of a single box."""
    return box.centre[0] + [0.0, 0.0, box.size[0, 2] / 2 + above_m]
