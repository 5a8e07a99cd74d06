"""Pictures of voxels: in perspective, as masks in the camera image, and from above over some frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..occupancy.grids import Grid
from ..occupancy.segments import Volume
from ..occupancy.taxonomy import Taxonomy
from .draw import bgr_of, text

BACKGROUND = (30, 26, 24)
_STUFF = ((150, 140, 130), (70, 78, 72), (120, 110, 150), (95, 120, 95), (140, 120, 90))
"""Colours of the classes of stuff, in turn: what stands there, then the ground."""
_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
_FACES = ((0, -1, (0, 1, 3, 2)), (0, 1, (4, 6, 7, 5)), (1, -1, (0, 4, 5, 1)), (1, 1, (2, 3, 7, 6)),
          (2, -1, (0, 2, 6, 4)), (2, 1, (1, 5, 7, 3)))
"""Axis, side and corners of each face of a voxel."""
_LIGHT = {(0, -1): 0.75, (0, 1): 0.75, (1, -1): 0.6, (1, 1): 0.6, (2, -1): 0.4, (2, 1): 1.0}
_NEAR_M = 1.0


def voxel_colours(volume: Volume, voxels: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """Return BGR 0 to 255 (N, 3) of voxels given by index (N, 3): of their identity, or of their class of stuff."""
    ids, classes = volume.instances[tuple(voxels.T)], volume.semantics[tuple(voxels.T)]
    colours = np.array([_STUFF[taxonomy.stuff.index(c) % len(_STUFF)] if c in taxonomy.stuff else BACKGROUND
                        for c in range(len(taxonomy.classes))])[classes]
    for identity in np.unique(ids[ids > 0]).tolist():
        colours[ids == identity] = bgr_of(identity)
    return colours


def view_from_behind(grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """Return the projection (4, 4) to pixels of a picture (width, height) seen from behind and above, along x."""
    width, height = size
    middle = np.array(grid.origin) + np.array(grid.extent) / 2
    eye = np.array([middle[0] - 0.55 * grid.extent[0], middle[1], grid.top + 0.28 * grid.extent[0]])
    aim = np.array([middle[0] + 0.1 * grid.extent[0], middle[1], grid.origin[2]])
    forward = (aim - eye) / np.linalg.norm(aim - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(forward, right), forward])
    focal = 0.9 * width
    projection = np.eye(4)
    projection[:3, :3] = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]) @ turn
    projection[:3, 3] = -projection[:3, :3] @ eye
    return projection


def draw_perspective(volume: Volume, grid: Grid, taxonomy: Taxonomy, size: tuple[int, int],
                     projection: np.ndarray | None = None) -> np.ndarray:
    """
    Return a picture (height, width, 3) BGR of the voxels that are not free.

    :param projection: (4, 4) of points in the frame of the grid to its pixels; default: see ``view_from_behind``.
    """
    picture = np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
    projection = view_from_behind(grid, size) if projection is None else projection
    eye = -np.linalg.solve(projection[:3, :3], projection[:3, 3])
    occupied = np.pad(volume.semantics != taxonomy.free, 1)
    polygons, colours, depths = [], [], []
    for axis, side, corners in _FACES:
        # Faces between two voxels, and those that point away, are never seen.
        open_ = occupied & ~np.roll(occupied, -side, axis)
        voxels = np.argwhere(open_[1:-1, 1:-1, 1:-1])
        place = np.array(grid.origin)[axis] + (voxels[:, axis] + (side > 0)) * grid.voxel[axis]
        voxels = voxels[side * (eye[axis] - place) > 0]
        points, depth = _projected(projection, _corner_points(grid, voxels, corners))
        seen = (depth > _NEAR_M).all(1)
        polygons.append(points[seen])
        colours.append(voxel_colours(volume, voxels[seen], taxonomy) * _LIGHT[axis, side])
        depths.append(depth[seen].mean(1))
    polygons, colours, depths = (np.concatenate(part) for part in (polygons, colours, depths))
    outline = np.round(np.clip(polygons, -1e4, 1e4)).astype(np.int32)
    for k in np.argsort(-depths):
        cv2.fillConvexPoly(picture, outline[k], colours[k].tolist())
    return picture


def _corner_points(grid: Grid, voxels: np.ndarray, corners: Sequence[int]) -> np.ndarray:
    """Return (N, K, 3) some corners of each of N voxels, metres."""
    return np.array(grid.origin) + (voxels[:, None] + _CORNERS[list(corners)]) * grid.voxel


def _projected(projection: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (..., 2) and depths (...) of points (..., 3)."""
    homogeneous = points @ projection[:3, :3].T + projection[:3, 3]
    depth = homogeneous[..., 2]
    return homogeneous[..., :2] / np.maximum(depth, 1e-6)[..., None], depth


def projected_corners(projection: np.ndarray, grid: Grid, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (N, 8, 2) and depths (N, 8) of the corners of voxels (N, 3) given by index."""
    return _projected(projection, _corner_points(grid, voxels, range(8)))


def draw_masks(image: np.ndarray, img_from_lidar: np.ndarray, volume: Volume, grid: Grid, taxonomy: Taxonomy,
               opacity: float = 0.5) -> np.ndarray:
    """Return a camera image (H, W, 3) BGR with the masks of things over it, the nearest voxel on top."""
    voxels = np.argwhere((volume.instances > 0) & (volume.semantics != taxonomy.free))
    points, depth = projected_corners(img_from_lidar, grid, voxels)
    seen = (depth > _NEAR_M).all(1) & ((points > 0) & (points < image.shape[1::-1])).all(-1).any(1)
    colours, painted = voxel_colours(volume, voxels, taxonomy), image.copy()
    for k in np.flatnonzero(seen)[np.argsort(-depth[seen].mean(1))]:
        hull = cv2.convexHull(np.round(np.clip(points[k], -1e4, 1e4)).astype(np.int32))
        cv2.fillConvexPoly(painted, hull, colours[k].tolist())
    return cv2.addWeighted(painted, opacity, image, 1 - opacity, 0)


def draw_from_above(volume: Volume, taxonomy: Taxonomy, width: int) -> np.ndarray:
    """Return a square picture from above, forward up: of each column the highest thing, else the highest voxel."""
    things, occupied = volume.instances > 0, volume.semantics != taxonomy.free
    shown = np.where(things.any(2, keepdims=True), things, occupied)
    layer = shown.shape[2] - 1 - shown[:, :, ::-1].argmax(2)
    columns = np.argwhere(shown.any(2))
    picture = np.full((*shown.shape[:2], 3), BACKGROUND, np.uint8)
    voxels = np.c_[columns, layer[tuple(columns.T)]]
    picture[tuple(columns.T)] = voxel_colours(volume, voxels, taxonomy)
    # Rows go along x, which is up, columns along y, which is left.
    return cv2.resize(np.ascontiguousarray(picture[::-1, ::-1]), (width, width), interpolation=cv2.INTER_NEAREST)


def voxel_sheet(image: np.ndarray, img_from_lidar: np.ndarray, volumes: Sequence[Volume], grid: Grid,
                taxonomy: Taxonomy, stamps: Sequence[str], width: int = 1500) -> np.ndarray:
    """
    Return a picture: the camera image with masks, beside it the voxels in perspective, below them frames from above.

    :param volumes: of the frames to show from above, the last is that of the image; :param stamps: a word on each.
    """
    half = width // 2
    height = round(half * image.shape[0] / image.shape[1])
    camera = cv2.resize(draw_masks(image, img_from_lidar, volumes[-1], grid, taxonomy), (half, height),
                        interpolation=cv2.INTER_AREA)
    top = np.concatenate([camera, draw_perspective(volumes[-1], grid, taxonomy, (width - half, height))], axis=1)
    each = width // len(volumes)
    maps = [draw_from_above(volume, taxonomy, each) for volume in volumes]
    for picture, words in zip(maps, stamps, strict=True):
        text(picture, words, (8, 20))
    below = np.concatenate(maps, axis=1)
    return np.concatenate([top, np.pad(below, ((0, 0), (0, width - below.shape[1]), (0, 0)))])
