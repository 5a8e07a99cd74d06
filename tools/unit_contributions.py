"""Bird's-eye view of a vehicle with several roadside units: which unit contributed to which track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cooptrack_ros.common.colours import PROVENANCE_COLOURS, TRUTH_COLOUR
from cooptrack_ros.common.geometry import transform_points
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.dataset import FrameRecord
from cooptrack_ros.viz.bev import BevView, draw_ego, draw_grid, seen_ground
from cooptrack_ros.viz.draw import bgr, bgr_of, dashed, fill, polyline, text

_BACKGROUND = (34, 30, 28)
_ALONE = bgr(PROVENANCE_COLOURS[0])
_ROW_PX = 22


@dataclass(frozen=True)
class UnitView:
    """
    A roadside unit in one frame.

    ``points`` (N, 3) is where the instances stood that were fused, metres in the ego lidar frame, ``rows`` (N,) the
    rows of the tracks that they went into.
    """

    name: str
    pair: FrameRecord
    points: np.ndarray
    rows: np.ndarray


def unit_views(partners: Mapping[str, FrameRecord], tracks: Sequence[Mapping], links: Sequence[Mapping],
               global_from_lidar: np.ndarray) -> list[UnitView]:
    """
    Return what each unit contributed to a frame of a result in the exchange format.

    :param partners: by unit, its pair with the frame; :param tracks, links: rows of the frame;
    :param global_from_lidar: pose of the vehicle's lidar, 4x4.
    """
    row_of = {row['tracking_id']: i for i, row in enumerate(tracks)}
    views = []
    for name, pair in partners.items():
        own = [link for link in links if link['unit'] == name]
        world = np.array([link['translation'] for link in own], np.float64).reshape(-1, 3)
        views.append(UnitView(name, pair, transform_points(np.linalg.inv(global_from_lidar), world),
                              np.array([row_of[link['tracking_id']] for link in own], np.int64)))
    return views


def draw_units(ground_truth: Boxes, tracks: Boxes, units: Sequence[UnitView], size_px: int = 900,
               reach_m: float = 55.0) -> np.ndarray:
    """
    Return a picture (size, size, 3) BGR; all boxes in the ego lidar frame.

    Every unit has a colour: of its place, of the ground that its cameras see, of lines to what it contributed and of
    the tracks that this went into. Tracks of the vehicle alone are blue.
    """
    view = BevView(size_px, reach_m)
    image = np.full((size_px, size_px, 3), _BACKGROUND, np.uint8)
    draw_grid(image, view)
    colours = [bgr_of(i + 1) for i in range(len(units))]
    outline = np.tile(np.array(_ALONE, np.float64), (len(tracks), 1))
    for unit, colour in zip(units, colours, strict=True):
        for camera in unit.pair.infra.cameras:
            seen, projection = camera.read()
            ground = transform_points(unit.pair.ego_from_infra, seen_ground(projection, seen.shape))
            fill(image, view.pixels(ground), colour, 0.10)
        outline[unit.rows] = colour
    for corners, colour in zip(view.footprint(tracks), outline.tolist(), strict=True):
        fill(image, corners, colour, 0.45)
        polyline(image, corners, colour, 2, closed=True)
    for corners in view.footprint(ground_truth):
        dashed(image, corners, bgr(TRUTH_COLOUR), 1, 4.0)
    for unit, colour in zip(units, colours, strict=True):
        _contribution(image, view, unit, colour)
    draw_ego(image, view)
    _legend(image, units, colours)
    return image


def _contribution(image: np.ndarray, view: BevView, unit: UnitView, colour: tuple[int, int, int]) -> None:
    place = view.pixels(unit.pair.ego_from_infra[:3, 3])
    for point in view.pixels(unit.points):
        polyline(image, np.stack([place, point]), colour, 1)
        cv2.circle(image, tuple(int(v) for v in point), 3, colour, -1, cv2.LINE_AA)
    cv2.drawMarker(image, tuple(int(v) for v in place), colour, cv2.MARKER_TRIANGLE_UP, 16, 2, cv2.LINE_AA)
    text(image, unit.name, place + [0, 20], colour, 0.42, centred=True)


def _legend(image: np.ndarray, units: Sequence[UnitView], colours: Sequence[tuple[int, int, int]]) -> None:
    rows = [(f'track with an instance of {u.name}; dot: where that stood', c)
            for u, c in zip(units, colours, strict=True)]
    rows += [('track of the vehicle alone', _ALONE), ('ground truth of all units (dashed)', bgr(TRUTH_COLOUR))]
    top = image.shape[0] - _ROW_PX * len(rows) - 4
    for y, (words, colour) in enumerate(rows):
        base = top + _ROW_PX * y
        polyline(image, np.array([[14.0, base + 4], [34.0, base + 4], [34.0, base + 13], [14.0, base + 13]]), colour, 2,
                 closed=True)
        text(image, words, (46, base + 13), (210, 210, 210), 0.4)
