"""Boxes brought to another time by constant velocity."""

from __future__ import annotations

import numpy as np

from ..common.types import Boxes
from ..cooperation.compensation import MIN_SPEED_MPS


def predict(boxes: Boxes, dt_s: float) -> Boxes:
    """Return N boxes after ``dt_s`` seconds, in the same frame; what is slow or of unknown velocity stays."""
    velocity = np.nan_to_num(boxes.velocity)
    moves = np.linalg.norm(velocity, axis=1, keepdims=True) >= MIN_SPEED_MPS
    centre = boxes.centre.copy()
    centre[:, :2] += np.where(moves, velocity * dt_s, 0.0)
    return boxes.with_(centre=centre)
