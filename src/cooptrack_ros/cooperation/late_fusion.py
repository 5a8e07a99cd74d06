"""Late fusion: tracks of the ego vehicle and boxes of roadside units are merged after detection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..common.config import LATE_RULE
from ..common.geometry import transform_boxes
from ..common.method_config import MethodConfig
from ..common.types import Boxes, RoadsideMessage
from .ab3dmot import KalmanConfig, KalmanState, initial_state, step
from .association_memory import DISTANCE_BONUS_M, AssociationMemory, Remembered
from .instance_filter import distinct, is_ego_vehicle
from .limits import Limits, best
from .matching import assign, close_pairs

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
    remembers: bool = False
    """Whether pairs of the last frames are preferred, see ``cooperation.association_memory``."""
    rule: str = LATE_RULE.default
    """What becomes of a pair, see ``LATE_RULE``."""

    @staticmethod
    def of(method: MethodConfig, max_gap_s: float, rule: str = LATE_RULE.default) -> LateConfig:
        """Return what a method says of it; :param max_gap_s: from which the vehicle's tracker starts anew."""
        return LateConfig(max_gap_s=max_gap_s, lifetime_s=method.roadside_lifetime_s,
                          remembers=method.association_memory, rule=rule)


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


@dataclass(frozen=True)
class LateBoxes:
    """
    N boxes that units sent, where they are at the time of an ego frame, in its lidar frame.

    ``stamp_ns`` (N,) are those of their messages, ``source`` the unit and the index of the instance of each,
    ``may_create`` (N,) tells which may add an object, ``remembered`` what is known of each, None for nothing.
    """

    boxes: Boxes
    stamp_ns: np.ndarray
    source: tuple[tuple[str, int], ...]
    may_create: np.ndarray
    remembered: Remembered | None = None

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.boxes)


def late_boxes(messages: Sequence[RoadsideMessage], stamp_ns: int,
               memory: AssociationMemory | None = None) -> LateBoxes:
    """Return what units say of a frame: what several say of one object once, and never the vehicle itself."""
    boxes = roadside_boxes(messages, stamp_ns)
    used = np.concatenate([np.zeros(0, bool), *distinct(messages)]) & ~is_ego_vehicle(boxes.centre)
    every = [(m, i) for m in messages for i in range(len(m.instances))]
    chosen = [every[row] for row in np.flatnonzero(used)]
    return LateBoxes(boxes[used], np.array([m.stamp_ns for m, _ in chosen], np.int64),
                     tuple((m.unit_id, i) for m, i in chosen), np.array([m.may_create for m, _ in chosen], bool),
                     memory.recall_all(messages, stamp_ns)[used] if memory else None)


def within_room(infra: LateBoxes, known: Collection[tuple[str, int]],
                limits: Limits) -> tuple[np.ndarray, Mapping[tuple[str, str], int]]:
    """
    Tell (N,) which boxes may create an object or are one that the vehicle has; and how many of each unit are too many.

    Boxes take no places of the vehicle's own tracks, however many there are.

    :param known: sources of boxes that are tracks of the vehicle.
    """
    taken, left_out = infra.may_create.copy(), {}
    alone = taken & np.array([source not in known for source in infra.source], bool)
    sender = np.array([unit for unit, _ in infra.source], object)
    units = sorted(set(sender[alone].tolist()))
    places = [np.flatnonzero(alone & (sender == unit)) for unit in units]
    for unit, of_unit, room in zip(units, places, limits.rooms([len(p) for p in places], own=0), strict=True):
        if len(of_unit) > room:
            taken[of_unit[~best(infra.boxes.score[of_unit], room)]] = False
            left_out[unit, 'no_room'] = len(of_unit) - room
    return taken, left_out


def match_boxes(ego: Boxes, infra: Boxes, min_gate_m: float = 0.0,
                remembered: Remembered | None = None) -> tuple[np.ndarray, np.ndarray]:
    """
    Return rows of ego and roadside boxes that are the same object.

    Least total distance of centres among pairs of equal label whose difference, along the axes of the roadside
    box, is at most its size (or ``min_gate_m``). What is remembered of a pair counts as so much nearer, and that much
    comes on top of the gate.
    """
    weight = np.zeros((len(ego), len(infra))) if remembered is None else remembered.weights(ego.track_id)
    bonus_m = DISTANCE_BONUS_M * weight
    limit = np.maximum(infra.size, min_gate_m)
    reach = float(np.hypot(*(limit[:, :2] + bonus_m.max(initial=0.0)).T).max(initial=1.0))
    rows, columns = close_pairs(ego.centre[:, :2], infra.centre[:, :2], reach)
    difference = ego.centre[rows] - infra.centre[columns]
    c, s = np.cos(infra.yaw[columns]), np.sin(infra.yaw[columns])
    local = np.stack([c * difference[:, 0] + s * difference[:, 1],
                      -s * difference[:, 0] + c * difference[:, 1], difference[:, 2]], axis=-1)
    gain = bonus_m[rows, columns]
    allowed = (np.abs(local) <= limit[columns] + gain[:, None]).all(-1) & (ego.label[rows] == infra.label[columns])
    return assign(rows[allowed], columns[allowed], np.linalg.norm(difference[allowed], axis=-1) - gain[allowed])


def fuse_boxes(ego: Boxes, infra: Boxes, config: LateConfig | None = None,
               remembered: Remembered | None = None) -> tuple[Boxes, np.ndarray, np.ndarray]:
    """
    Return ego boxes followed by unmatched roadside boxes with lowered scores, and the matched rows of both.

    The vehicle's box, label and score win in a matched pair (DAIR-V2X, vehicle perspective).

    :param remembered: of the roadside boxes.
    """
    config = config or LateConfig()
    rows, columns = match_boxes(ego, infra, config.min_gate_m, remembered)
    rest = infra[np.setdiff1d(np.arange(len(infra)), columns)]
    rest = rest.with_(score=rest.score * config.roadside_weight)
    return Boxes.concatenate([ego, rest]), rows, columns


@dataclass(frozen=True)
class LateState:
    """Tracks in the world, and the time of the last frame."""

    tracks: KalmanState
    stamp_ns: int | None
    received_ns: dict[int, int] = field(default_factory=dict)
    """Stamp of the newest message that spoke of a track, by identity."""


class LateFusion(Protocol):
    """Merges what the vehicle tracks with boxes of units, frame by frame."""

    config: LateConfig
    keeps_identities: bool
    """Whether a track of the vehicle comes out under the identity that it goes in with."""

    def initial(self) -> LateState:
        """Return the state before the first frame."""

    def restarted(self, state: LateState) -> LateState:
        """Return the state with which to go on after the vehicle's tracker has started anew."""

    def step(self, state: LateState, ego: Boxes, infra: Boxes, infra_ns: np.ndarray, global_from_lidar: np.ndarray,
             stamp_ns: int, remembered: Remembered | None = None) -> tuple[LateState, Boxes]:
        """
        Fuse one frame.

        :param ego: tracks of the ego vehicle; :param infra: roadside boxes that may create objects, both in the ego
            lidar frame.
        :param infra_ns: stamps of the messages that the roadside boxes come from (N,).
        :param remembered: what is known of the roadside boxes.
        :returns: the new state and all tracks in the ego lidar frame.
        """


class LateTracker:
    """Ego tracks keep their identities; objects that only the roadside sees are tracked in the world frame."""

    keeps_identities = True

    def __init__(self, config: LateConfig | None = None, kalman: KalmanConfig | None = None):
        """Take the constants."""
        self.config = config or LateConfig()
        self.kalman = replace(kalman or KalmanConfig(), first_id=ROADSIDE_FIRST_ID)

    def initial(self) -> LateState:
        """Return the state before the first frame."""
        return LateState(initial_state(self.kalman), None)

    def restarted(self, state: LateState) -> LateState:
        """Return a state without tracks; a new object must not take the number of an old one."""
        return LateState(replace(initial_state(self.kalman), next_id=state.tracks.next_id), None)

    def step(self, state: LateState, ego: Boxes, infra: Boxes, infra_ns: np.ndarray, global_from_lidar: np.ndarray,
             stamp_ns: int, remembered: Remembered | None = None) -> tuple[LateState, Boxes]:
        """Fuse one frame, see ``LateFusion``."""
        elapsed = None if state.stamp_ns is None else (stamp_ns - state.stamp_ns) / 1e9
        if elapsed is not None and not 0 <= elapsed <= self.config.max_gap_s:
            state, elapsed = self.restarted(state), None
        if not len(infra) and not len(state.tracks.track_id):
            # So it is in most frames of a vehicle that fuses features.
            return LateState(replace(state.tracks, frames=state.tracks.frames + 1), stamp_ns), ego
        fused, _, columns = fuse_boxes(ego, infra, self.config, remembered)
        alone = transform_boxes(global_from_lidar, fused[len(ego):])
        tracks, reported = step(state.tracks, alone, self.kalman, elapsed)
        received = self._received(state, tracks, np.delete(infra_ns, columns), stamp_ns)
        tracks = tracks[np.isin(tracks.track_id, list(received))]
        reported = reported[np.isin(reported.track_id, list(received))]
        reported = transform_boxes(np.linalg.inv(global_from_lidar), reported)
        # A track that coasts onto an object which the ego vehicle sees by now is that object.
        _, hidden = match_boxes(ego, reported, self.config.min_gate_m)
        reported = reported[np.setdiff1d(np.arange(len(reported)), hidden)]
        return LateState(tracks, stamp_ns, received), Boxes.concatenate([ego, reported])

    def _received(self, state: LateState, tracks: KalmanState, alone_ns: np.ndarray, stamp_ns: int) -> dict[int, int]:
        """Return the newest stamp that speaks of each track, without tracks that have outlived it."""
        received = {}
        for track, row in zip(tracks.track_id.tolist(), tracks.detection.tolist(), strict=True):
            stamps = [state.received_ns[track]] if track in state.received_ns else []
            newest_ns = max([*stamps, int(alone_ns[row])] if row >= 0 else stamps)
            if stamp_ns - newest_ns <= self.config.lifetime_s * 1e9:
                received[track] = newest_ns
        return received


class FusedBoxTracker:
    """AB3DMOT over the fused boxes of both sides, as DAIR-V2X does it: all tracks have identities of its own."""

    keeps_identities = False

    def __init__(self, kalman: KalmanConfig | None = None):
        """Take the constants."""
        self.config, self.kalman = LateConfig(), kalman or KalmanConfig()

    def initial(self) -> LateState:
        """Return the state before the first frame."""
        return LateState(initial_state(self.kalman), None)

    def restarted(self, state: LateState) -> LateState:
        """Return the same state: its tracks end by their own rule."""
        return state

    def step(self, state: LateState, ego: Boxes, infra: Boxes, infra_ns: np.ndarray, global_from_lidar: np.ndarray,
             stamp_ns: int, remembered: Remembered | None = None) -> tuple[LateState, Boxes]:
        """Fuse one frame, see ``LateFusion``."""
        fused, _, _ = fuse_boxes(ego, infra, self.config)
        elapsed = None if state.stamp_ns is None else (stamp_ns - state.stamp_ns) / 1e9
        tracks, reported = step(state.tracks, transform_boxes(global_from_lidar, fused), self.kalman, elapsed)
        return LateState(tracks, stamp_ns), transform_boxes(np.linalg.inv(global_from_lidar), reported)
