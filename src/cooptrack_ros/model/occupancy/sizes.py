"""Sizes of the occupancy head, beside those of the tracker on which it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...common.config import ModelConfig
from ...occupancy.grids import GRIDS, Grid

UPSAMPLING = 4
"""So many voxels of the masks lie along a BEV cell."""


@dataclass(frozen=True)
class OccupancySizes:
    """
    Sizes of the head; the width of queries is that of the tracker.

    ``lift_dims`` is the width in which image and BEV evidence of a coarse voxel meet, ``volume_dims`` that of the
    volume that queries attend to, ``mask_dims`` of the features after each of the two stages of up-sampling.
    ``thing_queries`` are the learned ones of new things; 0: things are the live tracks of the tracker.
    """

    profile: str
    lift_dims: int
    volume_dims: int
    mask_dims: tuple[int, int]
    thing_queries: int
    stuff_queries: int
    ffn_dims: int
    points: int = 4

    def coarse_grid(self, grid: Grid, config: ModelConfig) -> Grid:
        """
        Return the grid whose columns are the BEV cells of a network.

        :raises ValueError: if the voxels of ``grid`` do not fit four to a cell.
        """
        rows, columns = config.bev_size
        if grid.shape[:2] != (UPSAMPLING * columns, UPSAMPLING * rows):
            raise ValueError(f'grid {self.profile} has {grid.shape[0]}x{grid.shape[1]} columns; a BEV grid of '
                             f'{columns}x{rows} cells needs {UPSAMPLING * columns}x{UPSAMPLING * rows}')
        return Grid(grid.origin, (UPSAMPLING * grid.voxel[0], UPSAMPLING * grid.voxel[1], grid.voxel[2]),
                    (columns, rows, grid.shape[2]))

    @property
    def classes(self) -> int:
        """Number of classes of the grid, free among them."""
        return len(GRIDS[self.profile].taxonomy.classes)


    @property
    def queries(self) -> str:
        """Whose things are followed: ``own`` of the head, or those of the ``tracker``."""
        return 'own' if self.thing_queries else 'tracker'

    def with_queries(self, queries: str) -> OccupancySizes:
        """
        Return the same head with things of its own or those of the tracker.

        :raises ValueError: for an unknown source, or if the sizes do not say how many there are.
        """
        if queries not in QUERIES:
            raise ValueError(f"unknown source of queries '{queries}'; known: {', '.join(QUERIES)}")
        return replace(self, thing_queries=0) if queries == 'tracker' else self


QUERIES = ('own', 'tracker')
TRACKOCC_R50 = OccupancySizes('v2x', 256, 128, (96, 64), 200, 50, 512)
"""For the published tracker."""
MINI_HEAD = OccupancySizes('mini', 32, 24, (16, 12), 60, 12, 192)
"""For the tracker ``mini``."""
HEADS = {'mini': ('mini', MINI_HEAD), 'trackocc_r50': ('r50', TRACKOCC_R50)}
"""By name: the preset of the tracker that a head stands on, and its sizes."""
