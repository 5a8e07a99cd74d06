"""
How far the assumed pose of a roadside unit is off, learned from objects that both sides see.

A unit that is turned by a degree misplaces what it sees 60 m away by a metre. The error belongs to the unit (its
calibration) and changes slowly, so many noisy pairs tell it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .compensation import displacement
from .geometry import make_pose, rotation_z, transform_points
from .types import FrameOutput, RoadsideMessage

_ROUNDS = 12
_REFIT_PAIRS = 20
_SCALE_M = 1.0
"""Residual of a pair (m) from which it counts half: mismatched pairs must not steer."""
_PRIOR_YAW, _PRIOR_SHIFT_M = np.deg2rad(1.5), 0.5
"""Standard deviations of calibration errors: what few pairs say is believed a little only."""


@dataclass(frozen=True)
class MisalignmentConfig:
    """When pairs count and when they suffice."""

    window: int = 400
    """Pairs that are remembered: what is older is forgotten, so that a slow change is followed."""
    min_pairs: int = 40
    min_ego_score: float = 0.3
    """Decoder score from which the vehicle has its own opinion of where an object is."""
    max_distance_m: float = 3.5


@dataclass(frozen=True)
class Misalignment:
    """
    Residual of a unit: a point p of its lidar frame really is at ``rotation_z(yaw_rad) @ p + shift_m``.

    ``spread_m`` is the robust root mean square distance that remains; ``pairs`` says how many were used.
    """

    yaw_rad: float
    shift_m: tuple[float, float]
    pairs: int
    spread_m: float

    def correction(self) -> np.ndarray:
        """Return the 4x4 transform that undoes it, in the frame of the unit."""
        return make_pose(rotation_z(self.yaw_rad), np.array([*self.shift_m, 0.0]))


def fit(sent: np.ndarray, seen: np.ndarray) -> Misalignment:
    """
    Return the small planar motion that takes points as sent (N, 2) to where they were seen (N, 2), unit frame, m.

    Robust (Cauchy weights) least squares with a prior towards no error, linear in the small yaw.
    """
    parameters = np.zeros(3)
    one, zero = np.ones(len(sent)), np.zeros(len(sent))
    rows = np.concatenate([np.stack([-sent[:, 1], one, zero], 1), np.stack([sent[:, 0], zero, one], 1)])
    target = (seen - sent).T.reshape(-1)
    certainty = np.diag([_PRIOR_YAW ** -2, _PRIOR_SHIFT_M ** -2, _PRIOR_SHIFT_M ** -2])
    weights = np.ones(len(sent))
    for _ in range(_ROUNDS):
        w = np.tile(weights, 2)
        # The scale of residuals stands for their variance.
        normal = (rows * w[:, None]).T @ rows / _SCALE_M ** 2 + certainty
        parameters = np.linalg.solve(normal, (rows * w[:, None]).T @ target / _SCALE_M ** 2)
        residual = (target - rows @ parameters).reshape(2, -1)
        squared = (residual ** 2).sum(0)
        weights = 1 / (1 + squared / _SCALE_M ** 2)
    spread = float(np.sqrt((weights * squared).sum() / weights.sum()))
    return Misalignment(float(parameters[0]), (float(parameters[1]), float(parameters[2])), len(sent), spread)


class MisalignmentEstimator:
    """Remembers pairs of each unit; estimates and, where wanted, corrects."""

    def __init__(self, config: MisalignmentConfig | None = None):
        """Start without pairs."""
        self._config = config or MisalignmentConfig()
        self._pairs: dict[str, deque[tuple[np.ndarray, np.ndarray]]] = {}
        self._new: Counter[str] = Counter()
        self._found: dict[str, Misalignment] = {}

    def learn(self, messages: Sequence[RoadsideMessage], output: FrameOutput) -> None:
        """
        Take in what was fused in a frame.

        :param messages: with the poses that were assumed, before any correction.
        """
        for message in messages:
            # Where they are now: a car that has driven on is no error of the pose.
            now = message.instances.boxes.centre[:, :2] + displacement(message, output.stamp_ns)
            infra_from_ego = np.linalg.inv(message.ego_from_infra)
            for match in output.matches:
                if (match.unit_id != message.unit_id or match.ego_point is None
                        or match.ego_score < self._config.min_ego_score):
                    continue
                sent = now[match.infra_index]
                seen = transform_points(infra_from_ego, np.array([match.ego_point]))[0, :2]
                if np.linalg.norm(seen - sent) <= self._config.max_distance_m:
                    self._add(match.unit_id, sent, seen)

    def _add(self, unit_id: str, sent: np.ndarray, seen: np.ndarray) -> None:
        pairs = self._pairs.setdefault(unit_id, deque(maxlen=self._config.window))
        pairs.append((sent, seen))
        self._new[unit_id] += 1
        if len(pairs) >= self._config.min_pairs and self._new[unit_id] >= _REFIT_PAIRS:
            self._new[unit_id] = 0
            self._found[unit_id] = fit(*(np.array(side) for side in zip(*pairs, strict=True)))

    def estimate(self, unit_id: str) -> Misalignment | None:
        """Return the residual of a unit as of the last twenty pairs or so, None before there are enough."""
        return self._found.get(unit_id)

    def correct(self, messages: Sequence[RoadsideMessage]) -> list[RoadsideMessage]:
        """Return messages with the poses of their units corrected as far as is known."""
        corrected = []
        for message in messages:
            found = self.estimate(message.unit_id)
            corrected.append(message if found is None else replace(
                message, ego_from_infra=message.ego_from_infra @ found.correction()))
        return corrected
