"""Which of two sets of points belong together; only what lies near each other is looked at."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

_FORBIDDEN = 1e6
"""Cost of a pair that must not be: more than any number of allowed ones."""


def close_pairs(points: np.ndarray, others: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the index pairs of (N, D) and (M, D) points at most ``reach`` apart, by rows, then columns.

    Points are sorted into cells of that size in the first two axes, so that only neighbouring cells are compared.
    """
    # A little larger: rounding must not put a pair of just that distance two cells apart.
    cells, other_cells = (np.floor(p[:, :2] / (reach * (1 + 1e-9))).astype(np.int64) for p in (points, others))
    # Any two cells have different numbers, also those beside the outermost ones.
    low = np.concatenate([cells, other_cells, np.zeros((1, 2), np.int64)]).min(0) - 1
    width = int(np.concatenate([cells, other_cells, low[None]])[:, 1].max() - low[1]) + 2
    numbers, other_numbers = ((c - low) @ [width, 1] for c in (cells, other_cells))
    order = np.argsort(other_numbers, kind='stable')
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for step in (-width, 0, width):
        first, last = (np.searchsorted(other_numbers[order], numbers + step + side, where)
                       for side, where in ((-1, 'left'), (1, 'right')))
        counts = last - first
        places = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        found.append((np.repeat(np.arange(len(points)), counts), order[places]))
    rows, columns = (np.concatenate(part) for part in zip(*found, strict=True))
    near = np.linalg.norm(points[rows] - others[columns], axis=-1) <= reach
    rows, columns = rows[near], columns[near]
    sorting = np.lexsort((columns, rows))
    return rows[sorting], columns[sorting]


def assign(rows: np.ndarray, columns: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the most pairs that can be had of P allowed ones (rows, columns), at the least total cost; rows ascending.

    What is not connected by any chain of pairs is assigned by itself, which changes nothing in the result.
    """
    if not len(rows):
        return rows, columns
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    graph = coo_matrix((np.ones(len(rows)), (rows, height + columns)), shape=(height + width,) * 2)
    _, groups = connected_components(graph, directed=False)
    groups = groups[rows]
    order = np.argsort(groups, kind='stable')
    chosen = []
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        chosen.append(members if len(members) == 1 else _assign_connected(rows, columns, cost, members))
    kept = np.sort(np.concatenate(chosen))
    kept = kept[np.argsort(rows[kept], kind='stable')]
    return rows[kept], columns[kept]


def _assign_connected(rows: np.ndarray, columns: np.ndarray, cost: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return those of some pairs that are assigned."""
    (_, row), (_, column) = (np.unique(index[members], return_inverse=True) for index in (rows, columns))
    table = np.full((row.max() + 1, column.max() + 1), _FORBIDDEN)
    pair = np.full(table.shape, -1)
    table[row, column], pair[row, column] = cost[members], members
    found = pair[linear_sum_assignment(table)]
    return found[found >= 0]


def match_by_distance(points: Tensor, others: Tensor, gates_m: float | np.ndarray,
                      bonus_m: float | np.ndarray = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """
    Return index pairs of the minimum-distance assignment of (N, D) to (M, D) points within gates, metres.

    See method.md 9.2.

    :param gates_m: one for all, or of each pair, (N, M) or (1, 1); :param bonus_m: the same, how much nearer a pair
        counts.
    """
    if not len(points) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    own, received = (p.detach().to(torch.float64).cpu().numpy() for p in (points, others))
    gates_m, bonus_m = (np.broadcast_to(x, (len(own), len(received))) for x in (gates_m, bonus_m))
    rows, columns = close_pairs(own, received, float(gates_m.max()))
    distance_m = np.linalg.norm(own[rows] - received[columns], axis=-1)
    close = distance_m <= gates_m[rows, columns]
    rows, columns = rows[close], columns[close]
    return assign(rows, columns, distance_m[close] - bonus_m[rows, columns])
