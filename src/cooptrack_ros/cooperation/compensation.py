"""Roadside instances brought to the time of the ego frame (method.md 15.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common.geometry import transform_boxes
from ..common.types import Boxes, InstanceSet, RoadsideMessage

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
    return bounded_age_s(message.stamp_ns, stamp_ns)


def bounded_age_s(from_ns: int, now_ns: int) -> float:
    """Return the seconds from one time to another, within the same bounds."""
    return float(np.clip((now_ns - from_ns) / 1e9, MIN_AGE_S, MAX_AGE_S))


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
    without an earlier message takes its last position from the instance itself.
    """
    if message.motion is not None:
        return message.motion
    instances = message.instances
    now = instances.boxes.centre[:, :2]
    rows, times, offsets = _earlier_positions(message)
    # Only what no message holds is taken from the instance itself.
    new = np.flatnonzero((np.bincount(rows, minlength=len(now)) == 0) & (instances.previous_age_s > 0))
    rows, times = np.concatenate([rows, new]), np.concatenate([times, -instances.previous_age_s[new].astype(float)])
    offsets = np.concatenate([offsets, instances.previous_position[new, :2] - now[new]])

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(rows, values, len(now))[:, None]
    # Sums over positions relative to the present one, which is (0, 0) at time 0.
    count, time_sum, squares = 1 + total(np.ones(len(rows))), total(times), total(times ** 2)
    places, products = (np.hstack([total(weight * offsets[:, axis]) for axis in (0, 1)])
                        for weight in (np.ones(len(rows)), times))
    prior = (_POSITION_SPREAD_M / _VELOCITY_SPREAD_MPS) ** 2
    said = np.nan_to_num(instances.boxes.velocity)
    seen_s = np.zeros(len(now))
    np.maximum.at(seen_s, rows, -times)
    return (products + prior * said - time_sum * places / count) / (squares + prior - time_sum ** 2 / count), seen_s


def _earlier_positions(message: RoadsideMessage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each time that an instance was in an earlier message its row, seconds from now, (x, y) m from now."""
    boxes = [boxes_in_frame_of(message, earlier) for earlier in message.earlier]
    if not boxes or not len(message.instances):
        return np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 2))
    ids, order = message.instances.boxes.track_id, np.argsort(message.instances.boxes.track_id)
    tracks = np.concatenate([b.track_id for b in boxes])
    rows = order[np.searchsorted(ids, tracks, sorter=order).clip(max=len(ids) - 1)]
    known = ids[rows] == tracks
    times = np.repeat([(e.stamp_ns - message.stamp_ns) / 1e9 for e in message.earlier], [len(b) for b in boxes])
    positions = np.concatenate([b.centre[:, :2] for b in boxes])
    rows = rows[known]
    return rows, times[known], positions[known] - message.instances.boxes.centre[rows, :2]


def boxes_in_frame_of(message: RoadsideMessage, other: RoadsideMessage) -> Boxes:
    """Return the boxes of another message of a unit in its frame at the time of a message, if it has moved."""
    if np.array_equal(other.ego_from_infra, message.ego_from_infra):
        return other.instances.boxes
    now_from_then = np.linalg.inv(message.ego_from_infra) @ other.ego_from_infra
    return transform_boxes(now_from_then, other.instances.boxes)


def predict(boxes: Boxes, dt_s: float) -> Boxes:
    """Return N boxes after ``dt_s`` seconds, in the same frame; what is slow or of unknown velocity stays."""
    velocity = np.nan_to_num(boxes.velocity)
    moves = np.linalg.norm(velocity, axis=1, keepdims=True) >= MIN_SPEED_MPS
    centre = boxes.centre.copy()
    centre[:, :2] += np.where(moves, velocity * dt_s, 0.0)
    return boxes.with_(centre=centre)
