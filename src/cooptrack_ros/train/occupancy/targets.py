"""Voxels of one frame as tensors: what a camera sees, whose it is, and where things are and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...common.geometry import transform_points
from ...occupancy.grids import Grid
from ...occupancy.label_file import VoxelLabels
from ...occupancy.taxonomy import Taxonomy


@dataclass(frozen=True)
class VoxelTargets:
    """
    V visible voxels of a frame, and the G things among them.

    ``voxels`` (V,) are flat indices, ``semantics`` (V,) their classes, ``owner`` (V,) the number of their thing or -1.
    ``ids`` (G,) identities 1 or more, ``labels`` (G,) classes, ``centre`` (G, 3) mean of all voxels of a thing, seen or
    not, in metres, ``velocity`` (G, 3) how that moves to the next frame, m/s, NaN where it is not known.
    """

    voxels: Tensor
    semantics: Tensor
    owner: Tensor
    ids: Tensor
    labels: Tensor
    centre: Tensor
    velocity: Tensor

    def __len__(self) -> int:
        """Return the number of things."""
        return len(self.ids)

    def to(self, device: torch.device) -> VoxelTargets:
        """Return the same on a device."""
        return VoxelTargets(**{name: value.to(device) for name, value in vars(self).items()})

    def things(self, numbers: Tensor) -> Tensor:
        """Return (M, V) float, 1 where a voxel is of that thing."""
        return (self.owner[None] == numbers[:, None]).float()

    def stuff(self, classes: Tensor) -> Tensor:
        """Return (M, V) float, 1 where a voxel is of that class."""
        return (self.semantics[None] == classes[:, None]).float()


@dataclass(frozen=True)
class Later:
    """The next labelled frame of a sequence: its voxels, its lidar frame seen from this one (4, 4), seconds to it."""

    labels: VoxelLabels
    now_from_later: np.ndarray
    seconds: float


def voxel_targets(labels: VoxelLabels, later: Later | None, grid: Grid, taxonomy: Taxonomy) -> VoxelTargets:
    """Return the targets of a frame; :param later: of which velocities come, None without."""
    voxels = np.flatnonzero(labels.mask_camera)
    semantics = labels.semantics.ravel()[voxels].astype(np.int64)
    instances = np.where(taxonomy.flags(taxonomy.things)[semantics], labels.instances.ravel()[voxels], 0)
    ids, first, inverse = np.unique(instances, return_index=True, return_inverse=True)
    none = int(len(ids) > 0 and ids[0] == 0)
    ids = ids[none:].astype(np.int64)
    centre, velocity = _centres(labels, ids, grid), np.full((len(ids), 3), np.nan)
    if later is not None:
        velocity = (transform_points(later.now_from_later, _centres(later.labels, ids, grid)) - centre) / later.seconds
    return VoxelTargets(*(torch.from_numpy(x) for x in (
        voxels.astype(np.int64), semantics, inverse.reshape(-1).astype(np.int64) - none, ids, semantics[first[none:]],
        centre.astype(np.float32), velocity.astype(np.float32))))


def _centres(labels: VoxelLabels, ids: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the mean of all voxels of each identity (G, 3), NaN without any."""
    flat = labels.instances.ravel()
    voxels = np.flatnonzero(np.isin(flat, ids))
    place, owners = np.stack(np.unravel_index(voxels, labels.instances.shape), 1), flat[voxels].astype(np.int64)
    size = int(ids.max(initial=0)) + 1
    count = np.bincount(owners, minlength=size)[ids]
    sums = np.stack([np.bincount(owners, place[:, a], size)[ids] for a in range(3)], 1)
    with np.errstate(invalid='ignore', divide='ignore'):
        return grid.centres(sums / count[:, None])
