"""Things, what else stands there and the ground become the classes and identities of voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .grids import Grid
from .segments import Volume
from .taxonomy import V2X

GENERAL, GROUND = V2X.classes.index('general'), V2X.classes.index('ground')


def paint(grid: Grid, ground: np.ndarray, general: np.ndarray, things: Sequence[tuple[int, int, np.ndarray]]) -> Volume:
    """
    Return the volume of what lies at points (N, 3) in the frame of the grid, by the classes ``taxonomy.V2X``.

    In a voxel with points of several kinds, things go before all else and the ground comes last; of several things the
    one with the most points counts, then the lower identity.

    :param things: class, identity (1 or more, each once) and points of each.
    """
    size = int(np.prod(grid.shape))
    semantics, instances = np.full(size, V2X.free, np.uint8), np.zeros(size, np.uint16)
    for c, points in ((GROUND, ground), (GENERAL, general)):
        semantics[grid.indices(points)[1]] = c
    class_of = {identity: c for c, identity, _ in things}
    voxels = [grid.indices(points)[1] for _, _, points in things]
    owners = np.repeat([identity for _, identity, _ in things], [len(v) for v in voxels]).astype(np.int64)
    if len(owners):
        most = 1 + int(owners.max())
        pairs, count = np.unique(np.concatenate(voxels) * most + owners, return_counts=True)
        voxel, owner = np.divmod(pairs, most)
        # The last one written stays.
        order = np.lexsort((-owner, count, voxel))
        voxel, owner = voxel[order], owner[order]
        instances[voxel] = owner
        semantics[voxel] = np.array([class_of.get(i, V2X.free) for i in range(most)], np.uint8)[owner]
    return Volume(semantics.reshape(grid.shape), instances.reshape(grid.shape))
