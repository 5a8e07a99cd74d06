"""Checks of what units say that do not run our network, whatever the type of their messages."""

from __future__ import annotations

import numpy as np

from ..common.errors import WireError
from ..common.types import Boxes
from ..cooperation.foreign import LEAST_STD_M, NOT_STATED
from .arrays import finite
from .features import FeatureLimits

_MAX_OFFSET_M = 1e8
"""More than any map on Earth needs."""
_ASYMMETRY, _NEGATIVE = 1e-3, 1e-6
"""Of the largest entry of a covariance: what rounding may leave."""
_MOST = 1e15
"""Of what says that nothing is known; numbers far beyond overflow further on."""


def check_boxes(boxes: Boxes, limits: FeatureLimits) -> None:
    """
    Check boxes of a foreign unit in the map.

    :raises WireError: if a number is not finite, a size, speed or probability cannot be true, or a place is nowhere.
    """
    for name in ('centre', 'size', 'yaw', 'score'):
        finite(getattr(boxes, name), name)
    if not len(boxes):
        return
    speed = np.nan_to_num(np.abs(boxes.velocity), posinf=np.inf).max()
    if np.abs(boxes.centre).max() > _MAX_OFFSET_M or speed > limits.max_speed_m_s:
        raise WireError('implausible', 'an object is farther away or faster than accepted')
    if boxes.size.min() <= 0 or boxes.size.max() > limits.max_size_m:
        raise WireError('implausible', f'a size is not within 0 to {limits.max_size_m} m')
    if boxes.score.min() < 0 or boxes.score.max() > 1:
        raise WireError('implausible', 'a probability of existence is not within 0 to 1')


def believed(covariances: np.ndarray) -> np.ndarray:
    """
    Return covariances (N, D, D) with no standard deviation below that which is believed, nor above what says nothing.

    :raises WireError: if one is none.
    """
    if np.abs(covariances).max(initial=0.0) > _MOST:
        raise WireError('implausible', f'a covariance beyond {_MOST:g}')
    other = covariances.swapaxes(1, 2)
    values, axes = np.linalg.eigh((covariances + other) / 2)
    scale = np.maximum(np.abs(covariances).max((1, 2), initial=0.0), LEAST_STD_M ** 2)
    if (np.abs(covariances - other) > _ASYMMETRY * scale[:, None, None]).any() or (
            values < -_NEGATIVE * scale[:, None]).any():
        raise WireError('implausible', 'a covariance is not symmetric or has a negative variance')
    return axes * np.clip(values, LEAST_STD_M ** 2, NOT_STATED)[:, None, :] @ axes.swapaxes(1, 2)
