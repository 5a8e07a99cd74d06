"""
Fusion of two estimates whose errors may be correlated in an unknown way: covariance intersection.

Julier and Uhlmann, "A non-divergent estimation algorithm in the presence of unknown correlations" (1997).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common.geometry import wrap_angle
from ..common.types import Boxes
from ..common.uncertainty import TrackUncertainty

_WEIGHTS = np.linspace(0.0, 1.0, 41)
"""Of the first estimate; the ends take one of the two as it is."""


def intersect(first: np.ndarray, first_covariance: np.ndarray, second: np.ndarray,
              second_covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the fused means (P, D) and covariances (P, D, D) of P pairs of estimates of one thing each.

    With the weight that makes the determinant least. Where both covariances are not too small, neither is the result,
    however the errors of the two belong together. In one dimension it is the surer one of the two.
    """
    inverse, other = np.linalg.inv(first_covariance), np.linalg.inv(second_covariance)
    weight = _WEIGHTS[:, None, None, None]
    determinant = np.linalg.det(weight * inverse + (1 - weight) * other)
    best = _WEIGHTS[determinant.argmax(0)][:, None, None]
    covariance = np.linalg.inv(best * inverse + (1 - best) * other)
    parts = best * inverse @ first[..., None] + (1 - best) * other @ second[..., None]
    return (covariance @ parts)[..., 0], covariance


def intersect_boxes(own: Boxes, own_uncertainty: TrackUncertainty, other: Boxes,
                    other_uncertainty: TrackUncertainty) -> tuple[Boxes, TrackUncertainty]:
    """
    Return P boxes that each stand for two of one object, and how sure they are; all in one frame.

    Centre, heading, size and velocity are fused by themselves. An opposite heading counts as the same: which way round
    the box stands, label, score, identity and the probability of existence stay those of ``own``. Where nothing is
    known of one of the two, ``own`` stays as it is, and its velocity where one of the two has none.
    """
    rows = np.flatnonzero(own_uncertainty.known & other_uncertainty.known)
    if not len(rows):
        return own, own_uncertainty
    mine, theirs, sure, unsure = own[rows], other[rows], own_uncertainty[rows], other_uncertainty[rows]
    centre, position = intersect(mine.centre, sure.position, theirs.centre, unsure.position)
    turn = wrap_angle(2 * (theirs.yaw - mine.yaw)) / 2
    turned, heading = _intersect_numbers(np.zeros(len(rows)), sure.heading, turn, unsure.heading)
    sizes = [_intersect_numbers(mine.size[:, i], sure.size[:, i], theirs.size[:, i], unsure.size[:, i])
             for i in range(3)]
    moving = np.isfinite(mine.velocity + theirs.velocity).all(1)
    moving &= np.isfinite(sure.velocity + unsure.velocity).all((1, 2))
    velocity, spread = mine.velocity.copy(), sure.velocity.copy()
    velocity[moving], spread[moving] = intersect(mine.velocity[moving], sure.velocity[moving],
                                                 theirs.velocity[moving], unsure.velocity[moving])
    arrays = {'centre': centre, 'yaw': wrap_angle(mine.yaw + turned), 'velocity': velocity,
              'size': np.column_stack([mean for mean, _ in sizes])}
    changed = {name: getattr(own, name).copy() for name in arrays}
    for name, values in arrays.items():
        changed[name][rows] = values
    fused = replace(sure, position=position, heading=heading, velocity=spread,
                    size=np.column_stack([variance for _, variance in sizes]))
    return own.with_(**changed), own_uncertainty.with_rows(rows, fused)


def _intersect_numbers(first: np.ndarray, variance: np.ndarray, second: np.ndarray,
                       other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the fused numbers (P,) and their variances."""
    mean, covariance = intersect(first[:, None], variance[:, None, None], second[:, None], other[:, None, None])
    return mean[:, 0], covariance[:, 0, 0]
