"""Which cells of its BEV features a unit sends: all, or those that it is most confident of (as in Where2comm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.types import Boxes


@dataclass(frozen=True)
class BevCells:
    """K cells of a grid of ``size`` rows and columns: ``index`` (K,) row by row, ``features`` (K, C) float32."""

    size: tuple[int, int]
    index: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.index)

    @property
    def payload_bytes(self) -> int:
        """Bytes of the features in float32, as the paper counts; which cells they are of is not in it."""
        return 4 * self.features.size

    def dense(self) -> np.ndarray:
        """Return the features of all cells (rows * columns, C), 0 where there are none."""
        features = np.zeros((self.size[0] * self.size[1], self.features.shape[1]), np.float32)
        features[self.index] = self.features
        return features


def confidence_map(boxes: Boxes, pc_range: tuple[float, ...], size: tuple[int, int]) -> np.ndarray:
    """
    Return how sure a detector is that there is something in each cell (rows * columns,), 0..1.

    The score of each detection, spread as a Gaussian of half its length, or of a cell if that is more; where several
    overlap the highest counts.

    :param boxes: all detections without threshold, in the frame of the range; :param size: rows and columns.
    """
    (rows, columns), (x0, y0, _, x1, y1, _) = size, pc_range
    cell = np.array([(x1 - x0) / columns, (y1 - y0) / rows])
    x, y = x0 + (np.arange(columns) + 0.5) * cell[0], y0 + (np.arange(rows) + 0.5) * cell[1]
    spread = np.maximum(boxes.size[:, 0] / 2, cell.max())
    near = [np.exp(-0.5 * ((axis - boxes.centre[:, i, None]) / spread[:, None]) ** 2) for i, axis in enumerate((x, y))]
    heights = boxes.score[:, None, None] * near[1][:, :, None] * near[0][:, None, :]
    return heights.max(0, initial=0.0).reshape(-1).astype(np.float32)


def best_cells(features: np.ndarray, confidence: np.ndarray, size: tuple[int, int], count: int | None) -> BevCells:
    """
    Return the cells of the highest confidence, in the order of the grid.

    :param features: (rows * columns, C) float32; :param confidence: (rows * columns,); :param count: None for all.
    """
    index = np.sort(np.argsort(-confidence, kind='stable')[:count])
    return BevCells(size, index, features[index])


def cells_within(budget_bytes: int | None, width: int) -> int | None:
    """Return how many cells of C numbers fit a budget of ``BevCells.payload_bytes``; None: as many as there are."""
    return None if budget_bytes is None else budget_bytes // (4 * width)
