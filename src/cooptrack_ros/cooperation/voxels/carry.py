"""Voxels of one grid in another one that lies elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...common.geometry import transform_points
from ...occupancy.grids import Grid


def carried(index: np.ndarray, codes: np.ndarray, source: Grid, target: Grid,
            target_from_source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which voxels of the target those of the source fall into: flat indices (W,), ascending, and their codes (W,).

    Every voxel of the target looks up what lies at its centre, so surfaces get no holes.

    :param index: (V,) flat indices of the source; :param codes: (V,) of theirs, not 0.
    :param target_from_source: (4, 4) affine.
    """
    if not len(index):
        return np.zeros(0, np.int64), np.zeros(0, codes.dtype)
    volume, source = _cropped(index, codes, source)
    low, high = _reach(source, target, target_from_source)
    inverse = np.linalg.inv(target_from_source)
    # From whole indices of the target to places in voxels of the source.
    linear = inverse[:3, :3] * target.voxel / np.array(source.voxel)[:, None]
    offset = source.places(inverse[:3, :3] @ target.centres(np.zeros(3)) + inverse[:3, 3])
    axes = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high))]
    flat, inside = np.int32(0), np.bool_(True)
    for a, count in enumerate(source.shape):
        place = np.floor(sum(linear[a, b] * axes[b] for b in range(3)) + offset[a]).astype(np.int32)
        inside = inside & (place >= 0) & (place < count)
        flat = flat * np.int32(count) + place
    found = np.where(inside, volume.reshape(-1)[np.where(inside, flat, 0)], 0)
    voxels = np.nonzero(found)
    return np.ravel_multi_index(tuple(v + a for v, a in zip(voxels, low)), target.shape), found[voxels]


def extent_m(index: np.ndarray, grid: Grid) -> np.ndarray:
    """Return how far some voxels (V,), at least one, reach along each axis (3,), metres."""
    voxels = np.stack(np.unravel_index(index, grid.shape))
    return (np.ptp(voxels, axis=1) + 1) * grid.voxel


def _cropped(index: np.ndarray, codes: np.ndarray, grid: Grid) -> tuple[np.ndarray, Grid]:
    """Return the smallest volume that has all voxels, and its grid."""
    voxels = np.stack(np.unravel_index(index, grid.shape))
    low = voxels.min(1)
    shape = tuple((voxels.max(1) - low + 1).tolist())
    volume = np.zeros(shape, codes.dtype)
    volume[tuple(voxels - low[:, None])] = codes
    return volume, replace(grid, origin=tuple((grid.origin + low * grid.voxel).tolist()), shape=shape)


def _reach(source: Grid, target: Grid, target_from_source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first (3,) and the end (3,) of the indices of the target that the source may fall into."""
    ends = [(0, count) for count in source.shape]
    corners = source.origin + np.stack(np.meshgrid(*ends, indexing='ij'), -1).reshape(-1, 3) * source.voxel
    places = target.places(transform_points(target_from_source, corners))
    return (np.clip(np.floor(places.min(0)), 0, target.shape).astype(np.int64),
            np.clip(np.ceil(places.max(0)), 0, target.shape).astype(np.int64))
