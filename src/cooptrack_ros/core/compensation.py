"""Roadside instances brought to the time of the ego frame (latency_and_noise.md 3.1; paper C.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .types import InstanceSet, RoadsideMessage

MIN_AGE_S, MAX_AGE_S = -0.05, 1.0
"""Ages outside are treated as the nearest of these: a constant velocity says little about more than a second."""
MIN_SPEED_MPS = 0.5
"""What is slower stands: the noise of its velocity would move it."""
_TRACK_WEIGHT = 0.5
"""
Share of the displacement since the last roadside frame in the velocity; the rest is what the network says. Turning
objects go straight on: turn rates from the last yaws or velocities were tried and did not place them better.
"""


def compensate(message: RoadsideMessage, stamp_ns: int, infra_range: tuple[float, ...]) -> RoadsideMessage:
    """
    Return a message with boxes and reference points moved to a time by constant velocity; features stay.

    The message keeps its own stamp. At its own time, it is returned as it is.

    :param infra_range: x0, y0, z0, x1, y1, z1 (m), to which reference points are normalised.
    """
    step = displacement(message, stamp_ns)
    return replace(message, instances=moved(message.instances, step, infra_range)) if step.any() else message


def moved(instances: InstanceSet, step: np.ndarray, infra_range: tuple[float, ...]) -> InstanceSet:
    """Return instances with boxes and reference points moved by (M, 2) m in the frame of the unit."""
    low, high = np.array(infra_range[:2]), np.array(infra_range[3:5])
    centre, points = instances.boxes.centre.copy(), instances.ref_points.copy()
    centre[:, :2] += step
    points[:, :2] += (step / (high - low)).astype(np.float32)
    return replace(instances, boxes=instances.boxes.with_(centre=centre), ref_points=points)


def age_s(message: RoadsideMessage, stamp_ns: int) -> float:
    """Return the age of a message at a time, seconds, within the bounds that are compensated."""
    return float(np.clip((stamp_ns - message.stamp_ns) / 1e9, MIN_AGE_S, MAX_AGE_S))


def displacement(message: RoadsideMessage, stamp_ns: int) -> np.ndarray:
    """Return how far instances have moved by a time, (M, 2) m in the frame of the unit."""
    return velocities(message.instances) * age_s(message, stamp_ns)


def velocities(instances: InstanceSet) -> np.ndarray:
    """Return what to move instances by, (M, 2) m/s in the frame of the unit; 0 for what stands or is unknown."""
    mixed = mixed_velocities(instances)
    return np.where(np.linalg.norm(mixed, axis=1, keepdims=True) >= MIN_SPEED_MPS, mixed, 0.0)


def mixed_velocities(instances: InstanceSet) -> np.ndarray:
    """Return the mean of what the network says and what the last displacement tells, (M, 2) m/s; 0 if unknown."""
    velocity, age = np.nan_to_num(instances.boxes.velocity), instances.previous_age_s[:, None]
    return np.where(age > 0, (1 - _TRACK_WEIGHT) * velocity + _TRACK_WEIGHT * seen_velocities(instances), velocity)


def seen_velocities(instances: InstanceSet) -> np.ndarray:
    """Return displacement since the unit's last frame by its time, (M, 2) m/s; 0 without an earlier position."""
    age = instances.previous_age_s[:, None]
    covered = instances.boxes.centre[:, :2] - instances.previous_position[:, :2]
    return np.divide(covered, age, out=np.zeros_like(covered), where=age > 0)
