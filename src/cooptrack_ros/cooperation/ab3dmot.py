"""Kalman tracking of boxes in a fixed frame, as in AB3DMOT (arXiv:2008.08063), vectorised over tracks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..common.geometry import wrap_angle
from ..common.lives import life_at_rate
from ..common.types import Boxes
from .giou import giou_3d

_POSITION_RATE = ((0, 7), (1, 8), (2, 9))
"""State entries moved by a rate: x, y, z, yaw, length, width, height, vx, vy, vz (rates per frame)."""
_OUT_OF_REACH = 1e6


@dataclass(frozen=True)
class KalmanConfig:
    """Noise and life of tracks; defaults for camera boxes at 10 Hz."""

    max_distance_m: tuple[float, ...] = (3.5, 2.0, 2.0)
    """Largest centre distance of a match, per class label."""
    min_giou: float | None = None
    """If set, boxes are matched by generalised IoU of at least this, not by distance."""
    min_hits: int = 3
    max_age: int = 5
    """Frames in a row that a track may get no detection before it ends, exclusive."""
    max_age_s: float = 0.45
    """The same in seconds since the last detection, inclusive, whatever the rate of frames is; 0: ``max_age``."""
    first_id: int = 1
    frame_s: float = 0.1
    """Nominal time of one frame; rates are per frame."""

    def at_rate(self, hz: float) -> KalmanConfig:
        """Return the same for so many frames a second; where they are rare, a track outlives one missing frame."""
        if hz * self.frame_s >= 1:
            return self
        return replace(self, frame_s=1 / hz, max_age_s=life_at_rate(self.max_age_s, self.max_age, hz))


DAIR_PLUGIN = KalmanConfig(min_giou=-0.2, min_hits=1, max_age=21, max_age_s=0.0)
"""Setting of the AB3DMOT plug-in of DAIR-V2X, for tables that are compared with others' (its row for cars)."""


@dataclass(frozen=True)
class KalmanState:
    """
    M tracks: mean (M, 10), covariance (M, 10, 10), and bookkeeping arrays (M,).

    ``since_update`` and ``unseen_s`` are frames and seconds since the last detection; ``detection`` is the row of the
    last frame's detections that a track got, -1 if it coasts.
    """

    mean: np.ndarray
    covariance: np.ndarray
    label: np.ndarray
    track_id: np.ndarray
    score_sum: np.ndarray
    hits: np.ndarray
    since_update: np.ndarray
    unseen_s: np.ndarray
    detection: np.ndarray
    next_id: int
    frames: int

    def __getitem__(self, index) -> KalmanState:
        """Return some tracks."""
        names = ('mean', 'covariance', 'label', 'track_id', 'score_sum', 'hits', 'since_update', 'unseen_s',
                 'detection')
        return replace(self, **{n: getattr(self, n)[index] for n in names})


def initial_state(config: KalmanConfig) -> KalmanState:
    """Return a state without tracks."""
    none = np.zeros(0, np.int64)
    return KalmanState(np.zeros((0, 10)), np.zeros((0, 10, 10)), none, none, np.zeros(0), none, none,
                       np.zeros(0), none, config.first_id, 0)


def predict(mean: np.ndarray, covariance: np.ndarray, frames: float) -> tuple[np.ndarray, np.ndarray]:
    """Return means (M, 10) and covariances moved on by a number of frames."""
    transition = np.eye(10)
    for position, rate in _POSITION_RATE:
        transition[position, rate] = frames
    noise = np.diag([1.0] * 7 + [0.01] * 3)
    mean = mean @ transition.T
    mean[:, 3] = wrap_angle(mean[:, 3])
    return mean, transition @ covariance @ transition.T + noise


def update(mean: np.ndarray, covariance: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and covariances after measurements (M, 7): x, y, z, yaw, length, width, height."""
    mean = mean.copy()
    turn = np.abs(wrap_angle(measured[:, 3] - mean[:, 3]))
    # A box that seems to have turned around was measured the wrong way round (orientation correction).
    mean[:, 3] = np.where(turn > np.pi / 2, mean[:, 3] + np.pi, mean[:, 3])
    innovation = measured - mean[:, :7]
    innovation[:, 3] = wrap_angle(innovation[:, 3])
    gain = covariance[:, :, :7] @ np.linalg.inv(covariance[:, :7, :7] + np.eye(7))
    mean = mean + (gain @ innovation[..., None])[..., 0]
    mean[:, 3] = wrap_angle(mean[:, 3])
    return mean, covariance - gain @ covariance[:, :7, :]


def step(state: KalmanState, boxes: Boxes, config: KalmanConfig, elapsed_s: float | None) -> tuple[KalmanState, Boxes]:
    """
    Track the boxes of one frame.

    :param boxes: N detections in a fixed frame.
    :param elapsed_s: time since the last frame; None for the first.
    :returns: the new state and the reported tracks: velocity from the filter, score the mean of the detections'.
    """
    frames = 1.0 if elapsed_s is None else max(elapsed_s / config.frame_s, 1e-3)
    mean, covariance = predict(state.mean, state.covariance, frames)
    rows, columns = _match(mean, state.label, boxes, config)
    measured = np.concatenate([boxes.centre, boxes.yaw[:, None], boxes.size], axis=1)
    since, hits, score_sum = state.since_update + 1, state.hits.copy(), state.score_sum.copy()
    unseen_s = state.unseen_s + (elapsed_s or 0.0)
    if len(rows):
        mean[rows], covariance[rows] = update(mean[rows], covariance[rows], measured[columns])
    since[rows], unseen_s[rows], hits[rows] = 0, 0.0, hits[rows] + 1
    detection = np.full(len(since), -1)
    detection[rows] = columns
    score_sum[rows] += boxes.score[columns]
    new = np.setdiff1d(np.arange(len(boxes)), columns)
    born = len(new)
    state = KalmanState(
        np.concatenate([mean, np.concatenate([measured[new], np.zeros((born, 3))], axis=1)]),
        np.concatenate([covariance, np.tile(np.diag([10.0] * 7 + [1e4] * 3), (born, 1, 1))]),
        np.concatenate([state.label, boxes.label[new]]),
        np.concatenate([state.track_id, state.next_id + np.arange(born)]),
        np.concatenate([score_sum, boxes.score[new]]), np.concatenate([hits, np.ones(born, np.int64)]),
        np.concatenate([since, np.zeros(born, np.int64)]), np.concatenate([unseen_s, np.zeros(born)]),
        np.concatenate([detection, new]), state.next_id + born, state.frames + 1)
    state = state[state.unseen_s <= config.max_age_s if config.max_age_s else state.since_update < config.max_age]
    shown = state[(state.hits >= config.min_hits) | (state.frames <= config.min_hits)]
    return state, _report(shown, config)


def _match(mean: np.ndarray, label: np.ndarray, boxes: Boxes, config: KalmanConfig) -> tuple[np.ndarray, np.ndarray]:
    """
    Return track rows and detections that belong together: the best assignment within each class.

    As in AB3DMOT the assignment comes first, then pairs that are too far apart are rejected.
    """
    if config.min_giou is None:
        cost = np.linalg.norm(mean[:, None, :3] - boxes.centre[None], axis=-1)
        limit = np.array(config.max_distance_m)[boxes.label][None]
    else:
        cost, limit = -giou_3d(_boxes(mean, label), boxes), -config.min_giou
    close = cost <= limit
    same = label[:, None] == boxes.label
    rows, columns = linear_sum_assignment(np.where(same, cost, _OUT_OF_REACH))
    good = (close & same)[rows, columns]
    return rows[good], columns[good]


def _boxes(mean: np.ndarray, label: np.ndarray) -> Boxes:
    """Return states (M, 10) as boxes without score and identity; a size that shrank away stays positive."""
    return Boxes(mean[:, :3], np.maximum(mean[:, 4:7], 0.1), mean[:, 3], mean[:, 7:9], label, np.zeros(len(mean)),
                 np.full(len(mean), -1))


def _report(state: KalmanState, config: KalmanConfig) -> Boxes:
    return _boxes(state.mean, state.label).with_(
        velocity=state.mean[:, 7:9] / config.frame_s, score=state.score_sum / state.hits, track_id=state.track_id)
