"""Volumes as lists of the voxels that are not free, and what of those are one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .segments import Volume
from .taxonomy import Taxonomy


@dataclass(frozen=True)
class Occupied:
    """
    V voxels that are not free.

    ``index`` (V,) int64 are flat indices of the grid, ascending; ``semantics`` (V,) uint8 classes; ``instances`` (V,)
    int64 identities, 0 for none.
    """

    index: np.ndarray
    semantics: np.ndarray
    instances: np.ndarray

    def __len__(self) -> int:
        """Return the number of voxels."""
        return len(self.index)

    def __getitem__(self, chosen) -> Occupied:
        """Return the voxels selected by a mask or an ascending integer array."""
        return Occupied(self.index[chosen], self.semantics[chosen], self.instances[chosen])

    @staticmethod
    def of(volume: Volume, taxonomy: Taxonomy) -> Occupied:
        """Return the voxels of a volume; what is no thing has no identity."""
        semantics = volume.semantics.reshape(-1)
        index = np.flatnonzero(semantics != taxonomy.free)
        semantics = semantics[index].astype(np.uint8)
        instances = volume.instances.reshape(-1)[index].astype(np.int64)
        is_thing = taxonomy.flags(taxonomy.things)[semantics]
        return Occupied(index, semantics, np.where(is_thing, instances, 0))

    def without_small(self, least: int) -> Occupied:
        """Return the voxels without those of things that have fewer than ``least``."""
        ids, of_each = numbered(self.instances)
        counts = np.bincount(of_each, minlength=len(ids))
        kept = ((counts >= least) | (ids == 0))[of_each]
        return self if kept.all() else self[kept]

    def renamed(self, translate: Callable[[np.ndarray], np.ndarray]) -> Occupied:
        """Return the voxels under other identities; :param translate: gives those of different ones (N,), not 0."""
        ids, of_each = numbered(self.instances)
        named = np.zeros_like(ids)
        named[ids != 0] = translate(ids[ids != 0])
        return replace(self, instances=named[of_each])

    def volume(self, shape: tuple[int, int, int], taxonomy: Taxonomy) -> Volume:
        """Return the volume of a shape; what is not listed is free."""
        semantics = np.full(shape, taxonomy.free, np.uint8)
        instances = np.zeros(shape, np.int64)
        semantics.reshape(-1)[self.index], instances.reshape(-1)[self.index] = self.semantics, self.instances
        return Volume(semantics, instances)


def numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the different values of an array (V,), ascending, and which of them each one is (V,).

    Much faster than sorting where neighbours are mostly equal, as in a volume.
    """
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts = np.concatenate([np.zeros(min(len(values), 1), np.int64), changes])
    kinds, of_run = np.unique(values[starts], return_inverse=True)
    return kinds, np.repeat(of_run.reshape(-1), np.diff(starts, append=len(values)))
