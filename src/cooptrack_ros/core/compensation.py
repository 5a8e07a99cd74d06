"""Roadside instances brought to the time of the ego frame (latency_and_noise.md 3.1; paper C.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .types import InstanceSet, RoadsideMessage

MIN_AGE_S, MAX_AGE_S = -0.05, 1.0
"""Ages outside are treated as the nearest of these: a constant velocity says little about more than a second."""
MIN_SPEED_MPS = 0.8
"""What is slower stands: the noise of its velocity would move it."""
HISTORY_S = 1.05
"""Messages that came longer before another tell nothing about how its objects move (10 frames, or 2 at 2 Hz)."""
_POSITION_SPREAD_M, _VELOCITY_SPREAD_MPS = 0.2, 2.0
"""
Standard deviations of the position of a box and of the velocity that a network says: they weigh the way of a track
against that velocity. Turning objects go straight on: turn rates from the last yaws or velocities were tried and did
not place them better.
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
    age = age_s(message, stamp_ns)
    return moving(fitted_velocities(message)[0]) * age if age else np.zeros((len(message.instances), 2))


def moving(velocity: np.ndarray) -> np.ndarray:
    """Return velocities (M, 2) with 0 for what stands."""
    return np.where(np.linalg.norm(velocity, axis=1, keepdims=True) >= MIN_SPEED_MPS, velocity, 0.0)


def fitted_velocities(message: RoadsideMessage) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the velocities of instances, (M, 2) m/s in the frame of the unit, and how long (M,) s they were seen.

    Least squares over the positions of a track in the messages of the last second, with the velocity that the
    network says as a prior: what was seen once has that velocity, what was seen for long that of its way. A track
    without an earlier message is told its last position by the instance itself.
    """
    instances = message.instances
    now = instances.boxes.centre[:, :2]
    # Sums over positions, relative to the present one, which is (0, 0) at time 0.
    count, times, squares = np.ones((len(now), 1)), np.zeros((len(now), 1)), np.zeros((len(now), 1))
    places, products = np.zeros((len(now), 2)), np.zeros((len(now), 2))
    seen_s = np.zeros(len(now))

    def add(rows: np.ndarray, time_s: np.ndarray, position: np.ndarray) -> None:
        offset, column = position - now[rows], time_s[:, None]
        count[rows] += 1
        times[rows] += column
        squares[rows] += column ** 2
        places[rows] += offset
        products[rows] += column * offset
        seen_s[rows] = np.maximum(seen_s[rows], -time_s)
    for earlier in message.earlier:
        _, rows, others = np.intersect1d(instances.boxes.track_id, earlier.instances.boxes.track_id,
                                         return_indices=True)
        add(rows, np.full(len(rows), (earlier.stamp_ns - message.stamp_ns) / 1e9),
            earlier.instances.boxes.centre[others, :2])
    new = np.flatnonzero((count[:, 0] == 1) & (instances.previous_age_s > 0))
    add(new, -instances.previous_age_s[new].astype(float), instances.previous_position[new, :2])
    prior = (_POSITION_SPREAD_M / _VELOCITY_SPREAD_MPS) ** 2
    said = np.nan_to_num(instances.boxes.velocity)
    return (products + prior * said - times * places / count) / (squares + prior - times ** 2 / count), seen_s
