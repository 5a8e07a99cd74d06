"""
How far the assumed pose of a roadside unit is off, learned from objects that both sides see.

A unit that is turned by a degree misplaces what it sees 60 m away by a metre. The error belongs to the unit (its
calibration) and changes slowly, so many noisy pairs tell it. Tracks of the vehicle cannot tell: what was fused stands
where the message said, and pulls the next estimate there. So the vehicle decodes its BEV features now and then as if it
knew nothing from before, and what it finds is compared with what was received.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..common.geometry import make_pose, rotation_z, transform_points
from ..common.types import EgoOnlyDetections, RoadsideMessage
from .compensation import displacement
from .matching import match_by_distance

LOOK_INTERVAL_S, CORRECTING_INTERVAL_S = 1.0, 0.2
"""Time between two looks, for the health figure alone and where poses are corrected."""
MIN_SCORE = 0.3
"""Decoder score from which the vehicle has an opinion of where an object is."""
MAX_DISTANCE_M = 3.5
"""Of a pair, after what is known of the error."""
MIN_PAIRS = 5
_MEMORY_S, _MAX_PAIRS = 60.0, 1000
"""What is older is forgotten, so that a slow change is followed."""
_INDEPENDENT_S = 1.0
"""Errors of the same objects in the same light stay alike: pairs of so long a time count as those of one look."""
_ROUNDS = 8
_POSITION_SPREAD_M, _EGO_DEPTH_SPREAD, _INFRA_DEPTH_SPREAD = 0.5, 0.06, 0.03
"""Standard deviations of where an object is seen, in all directions, and along the ray per metre of distance."""
_CALIBRATION = (np.deg2rad(1.0), 0.2)
"""Standard deviations of the yaw and the shift of calibration errors: what few pairs say is believed a little only."""
_ANYTHING = (np.deg2rad(5.0), 3.0)
"""The same where nothing is expected."""
_CHANGE_S, _MIN_RECENT, _MIN_BEFORE = 10.0, 10, 20
"""
A pose that wanders is looked for in the last seconds; how many pairs these and the time before must have. Errors of
honest units as these seconds alone tell them reach 0.6 degrees and 0.3 m (validation scenes 10050 to 10054).
"""
_CERTAINTY = 5.5
"""Standard deviations from which a pose wanders. Honest units reach 1.8, below 5 where scenes change all the time."""
_ALIKE_M, _WHITE = 3.0, 0.15
"""Errors of what is seen at the same place from the same place are alike, over this distance, but for this share."""
_MAX_LOOKED_AT = 200
"""Pairs, the newest, that a change is looked for in: its time grows with their cube."""


@dataclass(frozen=True)
class Misalignment:
    """
    Residual of a unit: a point p of its lidar frame really is at ``rotation_z(yaw_rad) @ p + shift_m``.

    ``yaw_std_rad`` is the standard deviation of the yaw, ``pairs`` says how many were used.
    """

    yaw_rad: float
    shift_m: tuple[float, float]
    yaw_std_rad: float
    pairs: int

    def correction(self) -> np.ndarray:
        """Return the 4x4 transform that undoes it, in the frame of the unit."""
        return make_pose(rotation_z(self.yaw_rad), np.array([*self.shift_m, 0.0]))


@dataclass(frozen=True)
class Pairs:
    """N objects as sent and as seen by the vehicle, both (N, 2) m in the frame of the unit."""

    stamp_ns: int
    sent: np.ndarray
    seen: np.ndarray
    ego: np.ndarray
    """(N, 2) m, where the vehicle was."""
    weight: np.ndarray
    """(N,) share of an independent look."""


def fit(pairs: Sequence[Pairs]) -> Misalignment:
    """Return the small planar motion that takes points as sent to where they were seen."""
    rows, target = _whitened(pairs)
    parameters, covariance = _solve(rows, target, np.concatenate([p.weight for p in pairs]), _CALIBRATION)
    return _misalignment(parameters, covariance, len(rows))


def change(pairs: Sequence[Pairs]) -> Misalignment | None:
    """
    Return by how much the motion has wandered in the last ten seconds, None unless it has.

    Errors of an object last as long as it is seen from the same place, so many looks are no many opinions; but then
    they do not change either. Each pair is compared with what those before it let expect (their correlation is
    factored in the order of time), which shows small steps that all go one way. A pair that jumps is somebody's
    mistake once, whatever follows from it.
    """
    looks = _one_a_second(pairs)
    recent = [p.stamp_ns > looks[-1].stamp_ns - _CHANGE_S * 1e9 for p in looks]
    counts = [sum(len(p.sent) for p, is_recent in zip(looks, recent, strict=True) if is_recent is wanted)
              for wanted in (True, False)]
    if counts[0] < _MIN_RECENT or counts[1] < _MIN_BEFORE:
        return None
    since_s = np.concatenate([np.full(len(p.sent), (p.stamp_ns - looks[-1].stamp_ns) / 1e9) for p in looks])
    share = np.clip(since_s / _CHANGE_S + 1, 0, 1)
    rows, target = _whitened(looks)
    rows = np.concatenate([rows, rows * share[:, None, None]], 2)
    rows, target, share = rows[-_MAX_LOOKED_AT:], target[-_MAX_LOOKED_AT:], share[-_MAX_LOOKED_AT:]
    place = [np.concatenate([getattr(p, name) for p in looks])[-_MAX_LOOKED_AT:] for name in ('seen', 'ego')]
    apart = sum(np.linalg.norm(at[:, None] - at, axis=2) for at in place)
    alike = (1 - _WHITE) * np.exp(-apart / _ALIKE_M) + _WHITE * np.eye(len(share))
    steps = np.linalg.solve(np.linalg.cholesky(alike), np.concatenate([rows, target[:, :, None]], 2).reshape(
        len(share), -1)).reshape(len(share), 2, 7)
    parameters, covariance = _solve(steps[:, :, :6], steps[:, :, 6], np.ones(len(share)), _ANYTHING * 2)
    wandered, covariance = parameters[3:], covariance[3:, 3:]
    if wandered @ np.linalg.solve(covariance, wandered) < _CERTAINTY ** 2:
        return None
    return _misalignment(wandered, covariance, len(share))


def _one_a_second(pairs: Sequence[Pairs]) -> list[Pairs]:
    """Return the newest look and of those before it one a second, in order of time."""
    chosen = [pairs[-1]]
    for earlier in reversed(pairs):
        if chosen[-1].stamp_ns - earlier.stamp_ns > 0.9 * _INDEPENDENT_S * 1e9:
            chosen.append(earlier)
    return chosen[::-1]


def _misalignment(parameters: np.ndarray, covariance: np.ndarray, count: int) -> Misalignment:
    yaw, *shift = parameters.tolist()
    return Misalignment(yaw, tuple(shift), float(np.sqrt(covariance[0, 0])), count)


def _whitened(pairs: Sequence[Pairs]) -> tuple[np.ndarray, np.ndarray]:
    """
    Return what a small yaw and a shift change (N, 2, 3), and what was found (N, 2), in standard deviations.

    Cameras are sure of the direction of an object and unsure of its distance, so what lies along either ray counts
    less.
    """
    sent, seen, ego = (np.concatenate([getattr(p, name) for p in pairs]) for name in ('sent', 'seen', 'ego'))
    covariance = (_POSITION_SPREAD_M ** 2 * np.eye(2) + _along(seen - ego, _EGO_DEPTH_SPREAD)
                  + _along(sent, _INFRA_DEPTH_SPREAD))
    # L with L L^T = covariance^-1: rows of a pair then have unit variance.
    whiten = np.linalg.cholesky(np.linalg.inv(covariance)).transpose(0, 2, 1)
    rows = np.zeros((len(sent), 2, 3))
    rows[:, 0, 0], rows[:, 1, 0], rows[:, 0, 1], rows[:, 1, 2] = -sent[:, 1], sent[:, 0], 1, 1
    return whiten @ rows, np.einsum('nij,nj->ni', whiten, seen - sent)


def _solve(rows: np.ndarray, target: np.ndarray, weight: np.ndarray,
           expected: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """
    Return parameters (K,) and their covariance (K, K): robust (Cauchy weights) least squares.

    :param rows: (N, 2, K); :param target: (N, 2), both of unit variance; :param weight: (N,).
    :param expected: standard deviations of yaw and shift before anything was seen, of one motion or of several.
    """
    certainty = np.diag(np.concatenate([[yaw ** -2, shift ** -2, shift ** -2]
                                        for yaw, shift in zip(expected[::2], expected[1::2], strict=True)]))
    robust = np.ones(len(rows))
    for _ in range(_ROUNDS):
        weighted = rows * (weight * robust)[:, None, None]
        normal = np.einsum('nij,nik->jk', weighted, rows) + certainty
        parameters = np.linalg.solve(normal, np.einsum('nij,ni->j', weighted, target))
        robust = 1 / (1 + ((target - rows @ parameters) ** 2).sum(1) / 2)
    return parameters, np.linalg.inv(normal)


def _along(rays: np.ndarray, spread: float) -> np.ndarray:
    """Return covariances (N, 2, 2) along rays (N, 2) m whose standard deviation grows with their length."""
    return spread ** 2 * rays[:, :, None] * rays[:, None]


class MisalignmentEstimator:
    """Remembers pairs of each unit; estimates and, where wanted, corrects."""

    def __init__(self):
        """Start without pairs."""
        self._pairs: dict[str, deque[Pairs]] = {}
        self._found: dict[str, Misalignment] = {}
        self._changed: dict[str, Misalignment | None] = {}
        self._now: dict[str, Misalignment | None] = {}
        self._looked_ns: int | None = None

    def update(self, messages: Sequence[RoadsideMessage], stamp_ns: int, look: Callable[[], EgoOnlyDetections],
               online_extrinsics: bool) -> None:
        """
        Compare messages with what the vehicle sees by itself, if it is time to.

        :param messages: of a frame, with the poses that were assumed, before any correction; :param stamp_ns: of it.
        :param look: makes the vehicle decode its BEV features of that frame.
        """
        interval_s = CORRECTING_INTERVAL_S if online_extrinsics else LOOK_INTERVAL_S
        elapsed_s = _INDEPENDENT_S if self._looked_ns is None else (stamp_ns - self._looked_ns) / 1e9
        # After a jump back in time everything is new.
        if any(len(m.instances) for m in messages) and not 0 <= elapsed_s < interval_s - 0.05:
            self._looked_ns = stamp_ns
            self.learn(messages, stamp_ns, look(), min(abs(elapsed_s), _INDEPENDENT_S) / _INDEPENDENT_S)

    def learn(self, messages: Sequence[RoadsideMessage], stamp_ns: int, view: EgoOnlyDetections, weight: float) -> None:
        """Take in the pairs of a look that counts as ``weight`` (0..1) of an independent one."""
        points = view.points[view.scores >= MIN_SCORE]
        for message in messages:
            # Where they are now: a car that has driven on is no error of the pose.
            sent = message.instances.boxes.centre[:, :2] + displacement(message, stamp_ns)
            infra_from_ego = np.linalg.inv(message.ego_from_infra)
            seen = transform_points(infra_from_ego, points)[:, :2]
            known = self._found.get(message.unit_id)
            flat = np.column_stack([sent, np.zeros(len(sent))])
            placed = flat if known is None else transform_points(known.correction(), flat)
            rows, columns = match_by_distance(
                torch.from_numpy(seen), torch.from_numpy(placed[:, :2]), MAX_DISTANCE_M)
            if len(rows):
                ego = np.tile(infra_from_ego[:2, 3], (len(rows), 1))
                self._add(message.unit_id, Pairs(
                    stamp_ns, sent[columns], seen[rows], ego, np.full(len(rows), weight)))

    def _add(self, unit_id: str, new: Pairs) -> None:
        kept = self._pairs.setdefault(unit_id, deque())
        kept.append(new)
        count = sum(len(p.sent) for p in kept)
        while abs(new.stamp_ns - kept[0].stamp_ns) > _MEMORY_S * 1e9 or count > _MAX_PAIRS + len(new.sent):
            count -= len(kept.popleft().sent)
        if count >= MIN_PAIRS:
            self._found[unit_id] = fit(kept)
            self._changed[unit_id] = change(kept)
            recent = [p for p in kept if abs(new.stamp_ns - p.stamp_ns) < _CHANGE_S * 1e9]
            is_enough = sum(p.weight.sum() for p in recent) >= _MIN_RECENT
            self._now[unit_id] = fit(recent) if is_enough else None

    def estimate(self, unit_id: str) -> Misalignment | None:
        """Return the residual of a unit as of the last look, None before there are enough pairs."""
        return self._found.get(unit_id)

    def change(self, unit_id: str) -> Misalignment | None:
        """Return how the residual of a unit differs from that of the minute before, None unless it does."""
        return self._changed.get(unit_id)

    def now(self, unit_id: str) -> Misalignment | None:
        """Return the residual as the last ten seconds alone tell it, None if they have too few pairs for that."""
        return self._now.get(unit_id)

    def correct(self, messages: Sequence[RoadsideMessage]) -> list[RoadsideMessage]:
        """Return messages with the poses of their units corrected as far as is known."""
        corrected = []
        for message in messages:
            found = self.estimate(message.unit_id)
            corrected.append(message if found is None else replace(
                message, ego_from_infra=message.ego_from_infra @ found.correction()))
        return corrected
