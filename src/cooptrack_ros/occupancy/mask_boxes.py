"""Boxes around the voxels of things, and voxels in boxes."""

from __future__ import annotations

import numpy as np

from ..common.types import Boxes
from .grids import Grid
from .segments import Volume
from .taxonomy import Taxonomy

_LEAST_STRETCH = 1.2
"""Voxels that are less than so many times longer than wide have no direction."""


def boxes_of_masks(volume: Volume, grid: Grid, taxonomy: Taxonomy) -> Boxes:
    """
    Return the oriented box of every thing in a volume, in the frame of the grid, by ascending identity.

    Its length lies along the direction in which the voxels spread most, which says nothing of front and back. The label
    is the class of the voxels, the score 1, the velocity unknown.
    """
    voxels = np.argwhere((volume.instances != 0) & taxonomy.flags(taxonomy.things)[volume.semantics])
    owners = volume.instances[tuple(voxels.T)].astype(np.int64)
    ids, first = np.unique(owners, return_index=True)
    if not len(ids):
        return Boxes.empty()
    labels = volume.semantics[tuple(voxels[first].T)].astype(np.int64)
    found = [_box(grid.centres(voxels[owners == i]), grid.voxel) for i in ids]
    centre, size, yaw = (np.array(part) for part in zip(*found))
    return Boxes(centre, size, yaw, np.full((len(ids), 2), np.nan), labels, np.ones(len(ids)), ids)


def _box(points: np.ndarray, voxel: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return centre, size and yaw of the box around voxels of that size with centres (N, 3)."""
    flat = points[:, :2] - points[:, :2].mean(0)
    spread, axes = np.linalg.eigh(flat.T @ flat / len(flat) + np.diag(np.square(voxel[:2])) / 12)
    yaw = float(np.arctan2(axes[1, 1], axes[0, 1])) if spread[1] > _LEAST_STRETCH ** 2 * spread[0] else 0.0
    c, s = np.cos(yaw), np.sin(yaw)
    local = np.stack([c * points[:, 0] + s * points[:, 1], c * points[:, 1] - s * points[:, 0], points[:, 2]], 1)
    low, high = local.min(0), local.max(0)
    x, y, z = (low + high) / 2
    return np.array([c * x - s * y, s * x + c * y, z]), high - low + voxel, yaw


def with_filled_boxes(volume: Volume, boxes: Boxes, grid: Grid, taxonomy: Taxonomy) -> Volume:
    """
    Return a volume whose things are boxes: those of the volume become free, and what boxes hold becomes theirs.

    :param boxes: in the frame of the grid; labels are classes of the taxonomy; where two overlap, the higher score is.
    """
    things = taxonomy.flags(taxonomy.things)[volume.semantics]
    semantics = np.where(things, taxonomy.free, volume.semantics).ravel()
    instances = np.zeros(semantics.shape, np.int64)
    for k in np.argsort(boxes.score, kind='stable'):
        inside = voxels_in(grid, boxes.centre[k], boxes.size[k], float(boxes.yaw[k]))
        semantics[inside], instances[inside] = boxes.label[k], boxes.track_id[k]
    return Volume(semantics.reshape(grid.shape), instances.reshape(grid.shape))


def voxels_in(grid: Grid, centre: np.ndarray, size: np.ndarray, yaw: float) -> np.ndarray:
    """Return the flat indices of the voxels whose centres lie in a box; if there is none, that of its own centre."""
    reach = np.array([*[np.hypot(*size[:2]) / 2] * 2, size[2] / 2])
    low, high = (np.floor(grid.places(centre + sign * reach)).astype(int) for sign in (-1, 1))
    low, high = np.clip(low, 0, grid.shape), np.clip(high + 1, 0, grid.shape)
    voxels = low + np.moveaxis(np.indices(np.maximum(high - low, 0)), 0, -1).reshape(-1, 3)
    offset = grid.centres(voxels) - centre
    c, s = np.cos(yaw), np.sin(yaw)
    local = np.stack([c * offset[:, 0] + s * offset[:, 1], c * offset[:, 1] - s * offset[:, 0], offset[:, 2]], 1)
    voxels = voxels[(np.abs(local) <= size / 2).all(1)]
    return np.ravel_multi_index(tuple(voxels.T), grid.shape) if len(voxels) else grid.indices(centre[None])[1]
