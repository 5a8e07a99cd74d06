"""Threshold of the costs of candidate pairs: the mean of the cheaper of two Gaussians (SynCL, dynamic filtering)."""

from __future__ import annotations

import numpy as np

_LEAST_VARIANCE = 1e-4
_MOST_STEPS = 200
_LEAST_SHARE = np.finfo(float).tiny
EXACT, GOOD_ENOUGH = 1e-10, 1e-4
"""The means are found when they move less; the second takes far fewer steps and is meant for trainings."""
_FEWEST, _NARROWEST = 4, 1e-3


def threshold(costs: np.ndarray, settled: float = EXACT) -> float:
    """
    Return the mean of that component of a two-component mixture which has the smaller mean.

    Expectation maximisation from the smallest and the largest cost; of fewer than four costs, or such as hardly differ,
    simply the mean.

    :param costs: (P,), at least one; :param settled: see ``EXACT``.
    """
    costs = np.asarray(costs, np.float64)
    if len(costs) < _FEWEST or np.ptp(costs) < _NARROWEST:
        return float(costs.mean())
    means, variances, shares = np.array([costs.min(), costs.max()]), np.full(2, costs.var()), np.full(2, 0.5)
    variances = np.maximum(variances, _LEAST_VARIANCE)
    for _ in range(_MOST_STEPS):
        likely = np.log(shares) - 0.5 * (np.log(2 * np.pi * variances)
                                         + (costs[:, None] - means) ** 2 / variances)
        part = np.exp(likely - np.logaddexp(*likely.T)[:, None])
        weight = np.maximum(part.sum(0), _LEAST_SHARE)
        before, means = means, part.T @ costs / weight
        variances = np.maximum((part * (costs[:, None] - means) ** 2).sum(0) / weight, _LEAST_VARIANCE)
        shares = weight / len(costs)
        if np.abs(means - before).max() < settled:
            break
    return float(means.min())
