"""The regions that are stated to hold 95 % of the true values."""

from __future__ import annotations

import numpy as np

from ..common.uncertainty import TrackUncertainty
from .track_errors import TrackErrors

REGIONS = {'position': ('radial', 'tangential'), 'elevation': ('up',), 'heading': ('heading',),
           'size': ('length', 'width', 'height'), 'velocity': ('along', 'across')}
"""What each of them is about; those of more than one dimension are ellipses."""
_CHI_SQUARE = {1: 3.8415, 2: 5.9915, 3: 7.8147}
"""Squared distances from the centre, in standard deviations, within which 95 % of a normal distribution lie."""


def beyond(rows: TrackErrors, stated: TrackUncertainty) -> dict[str, np.ndarray]:
    """
    Return for each region the squared distance (N,) of the true value by that of its edge: up to 1 it is inside.

    NaN where the true value or its region is not known.
    """
    position, velocity = stated.position, stated.velocity
    squared = {
        'position': _distance(rows.centre[:, :2], position[:, :2, :2]),
        'elevation': rows.centre[:, 2] ** 2 / position[:, 2, 2], 'heading': rows.turn ** 2 / stated.heading,
        'size': (rows.size ** 2 / stated.size).sum(1), 'velocity': _distance(rows.velocity, velocity)}
    return {name: squared[name] / _CHI_SQUARE[len(names)] for name, names in REGIONS.items()}


def _distance(error: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return squared distances (N,) of errors (N, 2) in standard deviations."""
    a, b, d = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    x, y = error.T
    return (d * x * x - 2 * b * x * y + a * y * y) / (a * d - b * b)
