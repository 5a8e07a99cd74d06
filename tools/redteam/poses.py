"""Units that say they stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cooptrack_msgs.msg import InstanceFeatureArray

from .attack import Moment, truthful
from .drive import UnitMessage


def posed(change: Callable[[Moment, np.ndarray], np.ndarray]) -> Callable[[Moment, UnitMessage], InstanceFeatureArray]:
    """Return what makes the unit say another pose than its own; :param change: of map_from_lidar (4, 4)."""
    def says(moment: Moment, message: UnitMessage) -> InstanceFeatureArray:
        pose = change(moment, message.meta.map_from_lidar)
        return truthful(replace(message, meta=replace(message.meta, map_from_lidar=pose)))
    return says


def turned(pose: np.ndarray, degrees: float) -> np.ndarray:
    """Return a pose turned about its own place and the vertical."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))]
    result = pose.copy()
    result[:3, :3] = turn[:3, :3] @ pose[:3, :3]
    return result


def shifted(pose: np.ndarray, metres: float) -> np.ndarray:
    """Return a pose moved along x of the map."""
    result = pose.copy()
    result[0, 3] += metres
    return result


def stretched(pose: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return a pose whose axes are changed by a matrix (3, 3)."""
    result = pose.copy()
    result[:3, :3] = pose[:3, :3] @ matrix
    return result
