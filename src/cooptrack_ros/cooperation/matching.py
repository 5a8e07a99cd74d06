"""Which of two sets of points belong together."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def match_by_distance(points: Tensor, others: Tensor, gate_m: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Return index pairs of the minimum-distance assignment of (N, D) to (M, D) points within a gate, metres.

    See method.md 9.2.
    """
    if not len(points) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    cost = torch.cdist(points.detach().float(), others.detach().float()).cpu().numpy()
    cost[cost > gate_m] = 1e6
    rows, columns = linear_sum_assignment(cost)
    keep = cost[rows, columns] < 1e5
    return rows[keep], columns[keep]
