"""Late fusion: tracks of the ego vehicle and boxes of roadside units are merged after detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .ab3dmot import KalmanConfig, KalmanState, initial_state, step
from .geometry import transform_boxes
from .host import is_host
from .types import Boxes, RoadsideMessage

_OUT_OF_REACH = 1e6
ROADSIDE_FIRST_ID = 1_000_000
"""Identities of objects that only the roadside sees start here, far from the ego tracker's."""


@dataclass(frozen=True)
class LateConfig:
    """Constants of late fusion."""

    min_gate_m: float = 2.0
    """A pair may be this far apart along each axis of the roadside box even if the box is smaller."""
    roadside_weight: float = 0.4
    """Factor on the score of boxes that only the roadside sees."""
    max_gap_s: float = 0.5
    lifetime_s: float = float('inf')
    """A track that only the roadside sees ends when the last message that spoke of it is older than this."""


def roadside_boxes(messages: Sequence[RoadsideMessage], stamp_ns: int) -> Boxes:
    """
    Return what units sent as boxes in the ego lidar frame, moved by their own velocities to the time of the ego frame.

    Without it a car at 15 m/s in a message of the last frame would stand 1.5 m behind itself.
    """
    moved = []
    for message in messages:
        boxes = message.instances.boxes
        velocity = np.nan_to_num(boxes.velocity)
        centre = boxes.centre.copy()
        centre[:, :2] += velocity * ((stamp_ns - message.stamp_ns) / 1e9)
        moved.append(transform_boxes(message.ego_from_infra, boxes.with_(centre=centre)))
    return Boxes.concatenate(moved)


def message_stamps(messages: Sequence[RoadsideMessage]) -> np.ndarray:
    """Return for each of ``roadside_boxes`` the stamp of its message (N,), nanoseconds."""
    return np.array([m.stamp_ns for m in messages for _ in range(len(m.instances))], np.int64)


def match_boxes(ego: Boxes, infra: Boxes, min_gate_m: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """
    Return rows of ego and roadside boxes that are the same object.

    Least total distance of centres among pairs of equal label whose difference, along the axes of the roadside
    box, is at most its size (or ``min_gate_m``).
    """
    difference = ego.centre[:, None] - infra.centre[None]
    cost = np.linalg.norm(difference, axis=-1)
    c, s = np.cos(infra.yaw), np.sin(infra.yaw)
    local = np.stack([c * difference[..., 0] + s * difference[..., 1],
                      -s * difference[..., 0] + c * difference[..., 1], difference[..., 2]], axis=-1)
    allowed = ((np.abs(local) <= np.maximum(infra.size, min_gate_m)).all(-1)
               & (ego.label[:, None] == infra.label[None]))
    cost = np.where(allowed, cost, _OUT_OF_REACH)
    rows, columns = linear_sum_assignment(cost)
    good = cost[rows, columns] < _OUT_OF_REACH
    return rows[good], columns[good]


def fuse_boxes(ego: Boxes, infra: Boxes, config: LateConfig | None = None) -> tuple[Boxes, np.ndarray, np.ndarray]:
    """
    Return ego boxes followed by unmatched roadside boxes with lowered scores, and the matched rows of both.

    The vehicle's box, label and score win in a matched pair (DAIR-V2X, vehicle perspective).
    """
    config = config or LateConfig()
    rows, columns = match_boxes(ego, infra, config.min_gate_m)
    rest = infra[np.setdiff1d(np.arange(len(infra)), columns)]
    rest = rest.with_(score=rest.score * config.roadside_weight)
    return Boxes.concatenate([ego, rest]), rows, columns


def without_host(infra: Boxes) -> Boxes:
    """Return roadside boxes in the ego frame without the host vehicle itself."""
    return infra[~is_host(infra.centre)]


@dataclass(frozen=True)
class LateState:
    """Tracks of roadside-only objects in the world, and the time of the last frame."""

    tracks: KalmanState
    stamp_ns: int | None
    heard_ns: dict[int, int] = field(default_factory=dict)
    """Stamp of the newest message that spoke of a track, by identity."""


class LateTracker:
    """Ego tracks keep their identities; objects that only the roadside sees are tracked in the world frame."""

    def __init__(self, config: LateConfig | None = None, kalman: KalmanConfig | None = None):
        """Take the constants."""
        self.config = config or LateConfig()
        self.kalman = replace(kalman or KalmanConfig(), first_id=ROADSIDE_FIRST_ID)

    def initial(self) -> LateState:
        """Return the state before the first frame."""
        return LateState(initial_state(self.kalman), None)

    def step(self, state: LateState, ego: Boxes, infra: Boxes, infra_ns: np.ndarray, global_from_lidar: np.ndarray,
             stamp_ns: int) -> tuple[LateState, Boxes]:
        """
        Fuse one frame.

        :param ego: tracks of the ego vehicle; :param infra: roadside boxes, both in the ego lidar frame.
        :param infra_ns: stamps of the messages that the roadside boxes come from, see ``message_stamps``.
        :returns: the new state and all tracks in the ego lidar frame.
        """
        elapsed = None if state.stamp_ns is None else (stamp_ns - state.stamp_ns) / 1e9
        if elapsed is not None and not 0 <= elapsed <= self.config.max_gap_s:
            # A new object must not take the number of an old one.
            fresh = replace(initial_state(self.kalman), next_id=state.tracks.next_id)
            state, elapsed = LateState(fresh, None), None
        if not len(infra) and not len(state.tracks.track_id):
            # So it is in most frames of a vehicle that fuses features.
            return LateState(replace(state.tracks, frames=state.tracks.frames + 1), stamp_ns), ego
        others = ~is_host(infra.centre)
        infra, infra_ns = infra[others], infra_ns[others]
        fused, _, columns = fuse_boxes(ego, infra, self.config)
        alone = transform_boxes(global_from_lidar, fused[len(ego):])
        tracks, reported = step(state.tracks, alone, self.kalman, elapsed)
        heard = self._heard(state, tracks, np.delete(infra_ns, columns), stamp_ns)
        tracks = tracks[np.isin(tracks.track_id, list(heard))]
        reported = reported[np.isin(reported.track_id, list(heard))]
        reported = transform_boxes(np.linalg.inv(global_from_lidar), reported)
        # A track that coasts onto an object which the ego vehicle sees by now is that object.
        _, hidden = match_boxes(ego, reported, self.config.min_gate_m)
        reported = reported[np.setdiff1d(np.arange(len(reported)), hidden)]
        return LateState(tracks, stamp_ns, heard), Boxes.concatenate([ego, reported])

    def _heard(self, state: LateState, tracks: KalmanState, alone_ns: np.ndarray, stamp_ns: int) -> dict[int, int]:
        """Return the newest stamp that speaks of each track, without tracks that have outlived it."""
        heard = {}
        for track, row in zip(tracks.track_id.tolist(), tracks.detection.tolist(), strict=True):
            stamps = [state.heard_ns[track]] if track in state.heard_ns else []
            newest_ns = max([*stamps, int(alone_ns[row])] if row >= 0 else stamps)
            if stamp_ns - newest_ns <= self.config.lifetime_s * 1e9:
                heard[track] = newest_ns
        return heard
