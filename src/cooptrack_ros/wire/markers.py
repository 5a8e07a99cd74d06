"""Tracks, their past, what units sent and what was fused, as RViz markers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from ..common.colours import FUSED_FRAME_COLOUR, RECEIVED_COLOUR, ROADSIDE_COLOUR, Colour, identity_colour
from ..common.geometry import box_corners
from ..common.types import Boxes, Provenance
from .marker_parts import arrow, cube, line, new_marker, outline, strip, words

_SHAFT_M, _THIN_SHAFT_M = 0.15, 0.08
_MIN_SPEED = 0.3
"""Slower velocities (m/s) give no arrow."""
_MIN_TRAIL_M = 0.5
"""What moved less has no trail: it would be a scribble."""
_LIFT_M = 0.3
"""Links run so far above the roofs, outside the boxes that they connect."""
_FRAME_M = 0.1
"""Width of the outline that tells the provenance."""
_VEHICLE_M = (4.5, 1.9, 1.6)
"""Of the box that shows where the vehicle is, whatever its size."""
LABEL_HEIGHT_M = 0.8


def track_markers(boxes: Boxes, header: Header, class_names: Sequence[str],
                  colours: Sequence[Colour] | None = None, opacity: float = 0.75,
                  affinities: Mapping[int, float] | None = None, label_m: float = LABEL_HEIGHT_M) -> list[Marker]:
    """
    Return ``boxes``, ``heading``, ``velocity`` and ``label`` of tracks; their id is that of the track.

    :param boxes: N boxes in the frame of ``header``; identities must be unique. :param class_names: of their labels.
    :param colours: (N,) red, green, blue; by default one colour per identity.
    :param opacity: of the boxes, 0..1.
    :param affinities: of what was associated, by identity: the second line of the label; :param label_m: its height.
    """
    numbers, affinities = boxes.track_id.tolist(), affinities or {}
    tints = colours if colours is not None else [identity_colour(number) for number in numbers]
    motions = _motions(boxes, header, '', numbers, tints, _SHAFT_M)
    markers = []
    for number, tint, motion, centre, size, yaw, over, label, score in zip(
            numbers, tints, motions, boxes.centre.tolist(), boxes.size.tolist(), boxes.yaw.tolist(),
            _roofs(boxes, 0.8).tolist(), boxes.label.tolist(), boxes.score.tolist(), strict=True):
        markers.append(cube(new_marker(header, 'boxes', number), centre, size, yaw, tint, opacity))
        markers += motion
        text = f'#{number} {class_names[label]} {_short(score)}'
        if number in affinities:
            text += f'\n{_short(affinities[number])}'
        markers.append(words(new_marker(header, 'label', number), over, text, label_m, tint))
    return markers


def provenance_markers(boxes: Boxes, provenance: np.ndarray, header: Header) -> list[Marker]:
    """
    Return ``provenance``: white outlines of what was fused, amber ones of what a roadside unit alone knows.

    :param boxes: N boxes in the frame of ``header``; :param provenance: (N,) of ``Provenance``.
    """
    tints = {Provenance.FUSED: FUSED_FRAME_COLOUR, Provenance.ROADSIDE: ROADSIDE_COLOUR}
    return [outline(new_marker(header, 'provenance', number), corners, tints[source], _FRAME_M)
            for number, corners, source in zip(boxes.track_id.tolist(), box_corners(boxes).tolist(),
                                               provenance.tolist(), strict=True) if source in tints]


def vehicle_marker(header: Header) -> Marker:
    """Return ``ego``: a plain box that stands where the vehicle is; :param header: with its base frame."""
    length, width, height = _VEHICLE_M
    return cube(new_marker(header, 'ego', 0), (0.0, 0.0, height / 2), (length, width, height), 0.0, RECEIVED_COLOUR,
                1.0)


def received_markers(received: Boxes, units: Sequence[str], header: Header,
                     class_names: Sequence[str]) -> list[Marker]:
    """
    Return what units sent: as for tracks, but below ``infra/``, and thin and grey.

    :param received: M boxes in the frame of ``header``, with the identities of their units.
    :param units: (M,) name of the unit of each; :param class_names: of the labels.
    """
    identities = received.track_id.tolist()
    numbers = [received_id(unit, identity) for unit, identity in zip(units, identities, strict=True)]
    motions = _motions(received, header, 'infra/', numbers, [RECEIVED_COLOUR] * len(units), _THIN_SHAFT_M)
    markers = []
    for unit, identity, number, motion, corners, over, label, score in zip(
            units, identities, numbers, motions, box_corners(received).tolist(), _roofs(received, 1.7).tolist(),
            received.label.tolist(), received.score.tolist(), strict=True):
        text = f'{unit}/{identity} {class_names[label]} {_short(score)}'
        markers.append(outline(new_marker(header, 'infra/boxes', number), corners, RECEIVED_COLOUR, 0.06))
        markers += motion
        markers.append(words(new_marker(header, 'infra/label', number), over, text, 0.5, RECEIVED_COLOUR))
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


def link_markers(tracks: Boxes, received: Boxes, links: Iterable[tuple[int, int]], header: Header) -> list[Marker]:
    """
    Return ``links``: a line with the id of the track.

    :param tracks, received: boxes in the frame of ``header``.
    :param links: rows of both; a track has at most one link.
    """
    starts, ends, numbers = _roofs(tracks, _LIFT_M), _roofs(received, _LIFT_M), tracks.track_id.tolist()
    return [line(new_marker(header, 'links', numbers[row]), starts[row].tolist(), ends[column].tolist(),
                 ROADSIDE_COLOUR, 0.12) for row, column in links]


def _motions(boxes: Boxes, header: Header, prefix: str, numbers: Sequence[int], tints: Sequence[Colour],
             shaft_m: float) -> Iterator[list[Marker]]:
    """
    Yield what shows how each box moves.

    That is an arrow on the roof to one metre ahead of the front and, if it moves, one to the place a second ahead.
    """
    level = np.zeros(len(boxes))
    forward = np.column_stack([np.cos(boxes.yaw), np.sin(boxes.yaw), level])
    roofs = _roofs(boxes)
    noses = roofs + forward * (boxes.size[:, :1] / 2 + 1.0)
    # Not so for NaN, which is unknown.
    moves = np.hypot(*boxes.velocity.T) >= _MIN_SPEED
    later = boxes.centre + np.column_stack([boxes.velocity, level])
    for number, tint, roof, nose, is_moving, centre, place in zip(
            numbers, tints, roofs.tolist(), noses.tolist(), moves.tolist(), boxes.centre.tolist(), later.tolist(),
            strict=True):
        arrows = [arrow(new_marker(header, f'{prefix}heading', number), roof, nose, tint, shaft_m)]
        if is_moving:
            arrows.append(arrow(new_marker(header, f'{prefix}velocity', number), centre, place, tint, shaft_m))
        yield arrows


def floors(boxes: Boxes) -> np.ndarray:
    """Return the points (N, 3) below the centres, where boxes stand."""
    return boxes.centre - boxes.size[:, 2:] / 2 * [0.0, 0.0, 1.0]


def _short(share: float) -> str:
    """Return a number from 0 to 1 with two digits, and without a leading zero."""
    return f'{share:.2f}'.removeprefix('0')


def _roofs(boxes: Boxes, above_m: float = 0.0) -> np.ndarray:
    """Return the points (N, 3) over the centres."""
    return boxes.centre + (boxes.size[:, 2:] / 2 + above_m) * [0.0, 0.0, 1.0]
