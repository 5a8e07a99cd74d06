"""Roadside instances brought to the time of the ego frame (latency_and_noise.md 3.1; paper C.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .types import RoadsideMessage

MIN_AGE_S, MAX_AGE_S = -0.05, 1.0
"""Ages outside are treated as the nearest of these: a constant velocity says little about more than a second."""
MIN_SPEED_MPS = 0.5
"""What is slower stands: the noise of its velocity would move it."""
_TRACK_WEIGHT = 0.5
"""Share of the displacement since the last roadside frame in the velocity; the rest is what the network says."""


def compensate(message: RoadsideMessage, stamp_ns: int, infra_range: tuple[float, ...]) -> RoadsideMessage:
    """
    Return a message with boxes and reference points moved to a time by constant velocity; features stay.

    The message keeps its own stamp. At its own time, it is returned as it is.

    :param infra_range: x0, y0, z0, x1, y1, z1 (m), to which reference points are normalised.
    """
    instances, step = message.instances, displacement(message, stamp_ns)
    if not step.any():
        return message
    low, high = np.array(infra_range[:2]), np.array(infra_range[3:5])
    centre, points = instances.boxes.centre.copy(), instances.ref_points.copy()
    centre[:, :2] += step
    points[:, :2] += (step / (high - low)).astype(np.float32)
    return replace(message, instances=replace(
        instances, boxes=instances.boxes.with_(centre=centre), ref_points=points))


def displacement(message: RoadsideMessage, stamp_ns: int) -> np.ndarray:
    """Return how far instances have moved by a time, (M, 2) m in the frame of the unit."""
    age_s = float(np.clip((stamp_ns - message.stamp_ns) / 1e9, MIN_AGE_S, MAX_AGE_S))
    return velocities(message) * age_s


def velocities(message: RoadsideMessage) -> np.ndarray:
    """Return what to move instances by, (M, 2) m/s in the frame of the unit; 0 for what stands or is unknown."""
    instances = message.instances
    velocity = np.nan_to_num(instances.boxes.velocity)
    age = instances.previous_age_s[:, None]
    moved = instances.boxes.centre[:, :2] - instances.previous_position[:, :2]
    seen = np.divide(moved, age, out=np.zeros_like(moved), where=age > 0)
    mixed = np.where(age > 0, (1 - _TRACK_WEIGHT) * velocity + _TRACK_WEIGHT * seen, velocity)
    return np.where(np.linalg.norm(mixed, axis=1, keepdims=True) >= MIN_SPEED_MPS, mixed, 0.0)
