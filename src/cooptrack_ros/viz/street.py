"""The street as voxels: what the vehicle finds alone, what it finds together with a roadside unit, and both images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..common.colours import ROADSIDE_COLOUR
from ..occupancy.grids import Grid
from ..occupancy.segments import Volume
from ..occupancy.taxonomy import Taxonomy
from .draw import bgr, polyline, text
from .voxels import draw_masks, draw_perspective, projected_corners, view_from_behind

_UNIT = bgr(ROADSIDE_COLOUR)
_BEHIND_M, _AHEAD_M, _BESIDE_M = 20.0, 44.0, 28.0
"""What is shown around the vehicle."""
_BAND = 26
"""Height of the words above a picture, pixels."""
_EGO_BOX = ((-2.3, -0.95), (2.3, 0.95))
_EGO_GROUND_M = -1.7


@dataclass(frozen=True)
class CameraVoxels:
    """A camera image (H, W, 3) BGR, its projection (4, 4) of the lidar frame, and voxels of a grid in that frame."""

    image: np.ndarray
    img_from_lidar: np.ndarray
    volume: Volume
    grid: Grid


@dataclass(frozen=True)
class StreetView:
    """
    One frame: the vehicle's voxels alone, with its image, and together with the unit in the same grid.

    ``filled`` are the identities of things that the unit filled in; ``unit`` is what it sees itself, if that is there.
    """

    alone: CameraVoxels
    together: Volume
    filled: Collection[int]
    unit: CameraVoxels | None
    caption: str


def draw_street(view: StreetView, taxonomy: Taxonomy, width: int = 1500) -> np.ndarray:
    """Return a picture: above both images with the masks of things, below the voxels alone and together."""
    half = width // 2
    size = half, round(half * 9 / 16)
    own = view.alone
    cameras = [_camera(own, taxonomy, size)]
    cameras.append(np.full_like(cameras[0], 0) if view.unit is None else _camera(view.unit, taxonomy, size))
    projection = view_from_behind(_near(own.grid), size)
    below = []
    for volume in (own.volume, view.together):
        below.append(draw_perspective(volume, own.grid, taxonomy, size, projection))
        _ego(below[-1], projection)
    for identity in view.filled:
        _outline(below[1], projection, own.grid, view.together, identity)
    words = [f'vehicle, what it sees alone  {view.caption}', 'roadside unit, what it sees',
             'voxels of the vehicle alone', f'with the roadside unit; framed: {len(view.filled)} filled in']
    parts = [_titled(picture, line) for picture, line in zip((*cameras, *below), words, strict=True)]
    return np.concatenate([np.concatenate(parts[:2], axis=1), np.concatenate(parts[2:], axis=1)])


def _near(grid: Grid) -> Grid:
    """Return the part of a grid around the vehicle, for the point of view alone."""
    shape = (round((_BEHIND_M + _AHEAD_M) / grid.voxel[0]), round(2 * _BESIDE_M / grid.voxel[1]), grid.shape[2])
    return replace(grid, origin=(-_BEHIND_M, -_BESIDE_M, grid.origin[2]), shape=shape)


def _camera(camera: CameraVoxels, taxonomy: Taxonomy, size: tuple[int, int]) -> np.ndarray:
    masked = draw_masks(camera.image, camera.img_from_lidar, camera.volume, camera.grid, taxonomy)
    return cv2.resize(masked, size, interpolation=cv2.INTER_AREA)


def _titled(picture: np.ndarray, words: str) -> np.ndarray:
    band = np.full((_BAND, picture.shape[1], 3), 20, np.uint8)
    text(band, words, (8, 18))
    return np.concatenate([band, picture])


def _ego(picture: np.ndarray, projection: np.ndarray) -> None:
    """Draw the outline of the vehicle on the ground."""
    (x0, y0), (x1, y1) = _EGO_BOX
    corners = np.array([[x, y, _EGO_GROUND_M, 1.0] for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))])
    pixels = corners @ projection[:3].T
    if (pixels[:, 2] > 0).all():
        polyline(picture, pixels[:, :2] / pixels[:, 2:], (255, 255, 255), 2, closed=True)


def _outline(picture: np.ndarray, projection: np.ndarray, grid: Grid, volume: Volume, identity: int) -> None:
    """Draw a frame around a thing."""
    points, depth = projected_corners(projection, grid, np.argwhere(volume.instances == identity))
    points = points[depth > 0]
    if len(points):
        low, high = points.min(0) - 6, points.max(0) + 6
        polyline(picture, np.array([low, (high[0], low[1]), high, (low[0], high[1])]), _UNIT, 2, closed=True)
