"""Which cells of a cloud are hidden, what remains to be seen, and what was in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model.lidar.pillars import PillarGrid
from ...model.lidar.sizes import PILLARS_PER_CODE
from .settings import LidarPretrainingConfig


@dataclass(frozen=True)
class MaskedCloud:
    """
    One cloud with M hidden cells.

    ``visible`` (N, 4) are the points outside of them, ``cells`` (M, 2) their rows and columns in the codes of the
    encoder, ``tokens`` (P, 2) rows and columns of the pillars that get the token. ``targets`` (M, K, 3) are points of
    each cell in shares of it, see ``Cells.shares``; the first ``counts`` (M,) of each count. ``points`` and ``cell``
    are all points in range and the number of the cell of each.
    """

    visible: np.ndarray
    cells: np.ndarray
    tokens: np.ndarray
    targets: np.ndarray
    counts: np.ndarray
    points: np.ndarray
    cell: np.ndarray


@dataclass(frozen=True)
class Cells:
    """The cells of the codes over a grid of pillars; numbers go row by row."""

    grid: PillarGrid

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grid.shape[0] // PILLARS_PER_CODE, self.grid.shape[1] // PILLARS_PER_CODE

    @property
    def unit(self) -> np.ndarray:
        """Metres (3,) of a share: the cell along x and y, half the height of the range."""
        dx, dy = self.grid.step
        return np.array([PILLARS_PER_CODE * dx, PILLARS_PER_CODE * dy, (self.grid.high[2] - self.grid.low[2]) / 2])

    def numbers(self, points: np.ndarray) -> np.ndarray:
        """Return the number of the cell of each point (N,) in range."""
        rows, columns = self.shape
        column, row = ((points[:, :2] - np.array(self.grid.low[:2])) / self.unit[:2]).astype(np.int64).T
        column, row = np.minimum(column, columns - 1), np.minimum(row, rows - 1)
        return row * columns + column

    def centres(self, numbers: np.ndarray) -> np.ndarray:
        """Return the centres (..., 3) of cells in the middle of the height, metres."""
        row, column = np.divmod(numbers, self.shape[1])
        return np.stack([self.grid.low[0] + (column + 0.5) * self.unit[0],
                         self.grid.low[1] + (row + 0.5) * self.unit[1],
                         np.full(np.shape(row), (self.grid.low[2] + self.grid.high[2]) / 2)], -1)

    def shares(self, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return points (N, 3) from the centre of their cell, in its units: -0.5 to 0.5, along z -1 to 1."""
        return (points - self.centres(numbers)) / self.unit


def mask_cloud(points: np.ndarray, grid: PillarGrid, config: LidarPretrainingConfig,
               rng: np.random.Generator) -> MaskedCloud:
    """
    Hide cells of a cloud (N, 4), a share of those with points; none if not both hidden and visible ones would be left.

    A hidden cell keeps no point.
    """
    cells = Cells(grid)
    points = points[grid.inside(points)]
    cell = cells.numbers(points)
    occupied = np.unique(cell)
    count = round(config.mask_ratio * len(occupied))
    hidden = np.sort(rng.permutation(occupied)[:count]) if 0 < count < len(occupied) else occupied[:0]
    is_hidden = np.isin(cell, hidden)
    targets, counts = _targets(points[is_hidden, :3], cell[is_hidden], cells, config.max_targets, rng)
    rows_columns = np.stack(np.divmod(hidden, cells.shape[1]), 1)
    if config.token_at == 'cell':
        tokens = PILLARS_PER_CODE * rows_columns + PILLARS_PER_CODE // 2
    else:
        tokens = _pillars(points[is_hidden], grid)
    return MaskedCloud(points[~is_hidden], rows_columns, tokens, targets, counts, points, cell)


def _targets(points: np.ndarray, cell: np.ndarray, cells: Cells, most: int,
             rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return at most so many random points of each cell (M, K, 3), in ascending order of cells, and how many."""
    order = rng.permutation(len(points))
    order = order[np.argsort(cell[order], kind='stable')]
    _, first, counts = np.unique(cell[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    chosen = rank < most
    kept = np.minimum(counts, most)
    targets = np.zeros((len(counts), max(kept, default=0), 3), np.float32)
    of = np.repeat(np.arange(len(counts)), counts)[chosen]
    targets[of, rank[chosen]] = cells.shares(points[order[chosen]], cell[order[chosen]])
    return targets, kept


def _pillars(points: np.ndarray, grid: PillarGrid) -> np.ndarray:
    """Return rows and columns (P, 2) of the pillars that points lie in."""
    low, step, (rows, columns) = np.array(grid.low[:2], np.float32), np.array(grid.step, np.float32), grid.shape
    column, row = ((points[:, :2] - low) / step).astype(np.int64).T
    return np.unique(np.stack([np.minimum(row, rows - 1), np.minimum(column, columns - 1)], 1), axis=0)
