"""The vehicle's pipeline: pairing of messages, their poses, the tracker, late fusion, and the source of each track."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..common.types import Boxes, EgoOnlyDetections, Frame, FrameOutput, Match, Provenance, RoadsideMessage, Side
from ..common.uncertainty import TrackUncertainty
from ..cooperation.association_memory import AssociationMemory
from ..cooperation.covariance_intersection import intersect_boxes
from ..cooperation.extrinsic_error import Misalignment, MisalignmentEstimator
from ..cooperation.instance_filter import within_limit
from ..cooperation.late_fusion import (
    ROADSIDE_FIRST_ID,
    LateBoxes,
    LateFusion,
    fuse_boxes,
    late_boxes,
    match_boxes,
    roadside_boxes,
    within_room,
)
from ..cooperation.limits import Limits
from ..cooperation.pairing import Received, UnitPairing
from .uncertainty import StatedTracks
from .warm_up import warm_up

NOTHING = Received()


class Tracker(Protocol):
    """What an agent needs of ``tracking.tracker.AgentTracker``."""

    def initial(self) -> Any:
        """Return the state before the first frame."""

    def step(self, state: Any, frame: Frame, messages: Sequence[RoadsideMessage] = ()) -> tuple[Any, FrameOutput]:
        """Process one frame."""

    def look(self, state: Any) -> EgoOnlyDetections:
        """Return what the agent detects in the BEV features of its last frame without knowing of a track."""


@dataclass(frozen=True)
class EgoResult:
    """
    One frame of the vehicle: N tracks (identities of the tracker), all detections, and what was fused.

    ``provenance`` (N,) holds values of ``Provenance``; None where late fusion gives tracks identities of its own, so
    that nobody can tell. ``mode`` says what produced it: ``cooperative`` (features), ``late`` (boxes only) or
    ``none``.
    """

    tracks: Boxes
    detections: Boxes
    matches: tuple[Match, ...]
    provenance: np.ndarray | None
    mode: str
    output: FrameOutput
    left_out: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Instances by unit and reason that were not used: ``too_many`` to look at, ``no_room``, or ``no_time``."""
    messages: tuple[RoadsideMessage, ...] = ()
    """What was used of units, where it was taken to be."""
    age_s: np.ndarray | None = None
    """(N,) since tracks were reported first, NaN for those that end with the frame; None as ``provenance``."""
    uncertainty: TrackUncertainty | None = None
    """Of the N tracks; None where the model says nothing of it."""


class Intersected(NamedTuple):
    """Tracks of the vehicle of which those at ``rows`` were fused with boxes of units, and what is stated of these."""

    tracks: Boxes
    rows: np.ndarray
    uncertainty: TrackUncertainty


class EgoAgent:
    """
    Runs the pipeline frame by frame and remembers its state.

    A frame takes three calls: ``received`` chooses messages, ``step`` makes the result, and ``learn_poses`` does what
    can wait until the result is on its way.
    """

    def __init__(self, tracker: Tracker, late: LateFusion | None = None, ego_score_limit: float = 0.0,
                 only_live: bool = True, units: Iterable[UnitPairing] = (), fuses_features: bool = True,
                 limits: Limits | None = None, stated: StatedTracks | None = None):
        """
        Start before the first frame.

        :param late: takes in boxes after the network; its tracks are kept up in every frame.
        :param ego_score_limit: a fused track whose own score was below counts as known from the roadside only.
        :param only_live: report no track that ends with the frame; published results of the network have them.
        :param units: those to listen to. :param fuses_features: otherwise only boxes of their messages are used.
        :param limits: of what units may take of a frame; None: as much as they want.
        :param stated: how sure the agent is of its tracks; None: it does not say.
        """
        self._tracker, self._late, self._limit, self._only_live = tracker, late, ego_score_limit, only_live
        self.units: Mapping[str, UnitPairing] = {unit.unit_id: unit for unit in units}
        self._fuses_features, self._limits = fuses_features, limits
        self._stated = stated or StatedTracks(None, Side.COOPERATIVE)
        self._poses = MisalignmentEstimator()
        self._state = tracker.initial()
        self._late_state = late.initial() if late else None
        self._memory = AssociationMemory()
        """Of late fusion; the tracker has its own in its state."""
        self._last: tuple[int, Received, bool] | None = None

    @property
    def state(self) -> Any:
        """What the tracker left after the last frame."""
        return self._state

    def warm_up(self, frame: Frame) -> Any:
        """Run the network some times without remembering anything; return the state that this left."""
        state = warm_up(self._tracker, frame)
        self._tracker.look(state)
        return state

    def restart(self, stamp_ns: int) -> None:
        """Let the units' messages follow a jump of time to a stamp."""
        for unit in self.units.values():
            unit.restart(stamp_ns)

    def received(self, stamp_ns: int, map_from_lidar: np.ndarray) -> Received:
        """Return what units sent for a frame; :param map_from_lidar: pose of the vehicle's lidar (4, 4)."""
        fused, late = [], []
        for unit in self.units.values():
            message, has_features = unit.message_for(stamp_ns, map_from_lidar)
            if message is not None and has_features and self._fuses_features:
                fused.append(message)
            elif message is not None and self._late is not None:
                late.append(message)
        return Received(tuple(fused), tuple(late))

    def step(self, frame: Frame, received: Received = NOTHING, online_extrinsics: bool = False) -> EgoResult:
        """Process one frame; :param online_extrinsics: use what was learned of the error in a unit's pose."""
        placed = received
        if online_extrinsics:
            placed = Received(*(tuple(self._poses.correct(m)) for m in (received.fused, received.late)))
        placed, left_out = self._limited(placed)
        self._state, output = self._tracker.step(self._state, frame, placed.fused)
        self._last = output.stamp_ns, received, online_extrinsics
        tracks = output.tracks[output.live] if self._only_live else output.tracks
        detections, matches, knows_sources = output.detections, output.matches, True
        if output.reset:
            self._stated.restart()
        fused = None
        if self._late is not None:
            if output.reset:
                self._late_state, self._memory = self._late.restarted(self._late_state), AssociationMemory()
            remembers = self._late.config.remembers
            infra = late_boxes(placed.late, output.stamp_ns, self._memory if remembers else None)
            late_matches = _late_matches(tracks, infra, self._late.config.min_gate_m)
            if remembers:
                self._memory = self._memory.after(late_matches, placed.late, output.stamp_ns)
            matches += late_matches
            if self._late.config.rule == 'covariance_intersection':
                fused = self._intersect(tracks, late_matches, placed, frame, output)
                tracks = fused.tracks
            # What may only confirm has done so in the matches: in late fusion the box of the vehicle wins.
            taken, too_many = self._taken(infra, late_matches)
            left_out = Counter(left_out) + Counter(too_many)
            new, new_ns = infra.boxes[taken], infra.stamp_ns[taken]
            known = None if infra.remembered is None else infra.remembered[taken]
            detections, _, _ = fuse_boxes(detections, new, self._late.config, known)
            self._late_state, tracks = self._late.step(
                self._late_state, tracks, new, new_ns, frame.global_from_lidar, output.stamp_ns, known)
            knows_sources = self._late.keeps_identities
        mode = 'cooperative' if received.fused else 'late' if received.late else 'none'
        left_out = Counter(left_out) + Counter(output.left_out)
        if not knows_sources:
            return EgoResult(tracks, detections, (), None, mode, output, left_out, placed.messages)
        provenance = self._provenance(tracks, matches, output, received)
        age_s, uncertainty = self._state_of(tracks, provenance, frame, output, not received.messages)
        if fused is not None and uncertainty is not None:
            # Nothing of the vehicle's own is left out or changes places, see ``LateTracker``.
            uncertainty = uncertainty.with_rows(fused.rows, fused.uncertainty)
        return EgoResult(tracks, detections, matches, provenance, mode, output, left_out, placed.messages, age_s,
                         uncertainty)

    def _state_of(self, tracks: Boxes, provenance: np.ndarray, frame: Frame, output: FrameOutput,
                  alone: bool) -> tuple[np.ndarray, TrackUncertainty | None]:
        """Return since when tracks are reported, and what is stated of them."""
        lasting = ~np.isin(tracks.track_id, output.tracks.track_id[~output.live])
        return self._stated.of(tracks, provenance, lasting, output.stamp_ns, frame.ego_from_lidar, alone)

    def _intersect(self, tracks: Boxes, late_matches: Sequence[Match], placed: Received, frame: Frame,
                   output: FrameOutput) -> Intersected:
        """Return tracks that were moved to where both the vehicle and a unit that may add objects have them."""
        boxes, ends = roadside_boxes(placed.late, output.stamp_ns), np.cumsum([len(m.instances) for m in placed.late])
        start = {m.unit_id: int(end) - len(m.instances) for m, end in zip(placed.late, ends, strict=True)
                 if m.may_create}
        pairs = [m for m in late_matches if m.unit_id in start]
        place = {number: row for row, number in enumerate(tracks.track_id.tolist())}
        rows = np.array([place[m.track_id] for m in pairs], np.int64)
        theirs = np.array([start[m.unit_id] + m.infra_index for m in pairs], np.int64)
        unit = self._stated.of_units(placed.late, output.stamp_ns)
        provenance = self._provenance(tracks, (*output.matches, *late_matches), output, placed)
        own = self._state_of(tracks, provenance, frame, output, not placed.messages)[1]
        if own is None:
            own = TrackUncertainty.unknown(len(tracks))
        fused, uncertainty = intersect_boxes(tracks[rows], own[rows], boxes[theirs], unit[theirs])
        moved = {name: getattr(tracks, name).copy() for name in ('centre', 'size', 'yaw', 'velocity')}
        for name, values in moved.items():
            values[rows] = getattr(fused, name)
        return Intersected(tracks.with_(**moved), rows, uncertainty)

    def _limited(self, received: Received) -> tuple[Received, dict[tuple[str, str], int]]:
        """Return what is looked at, and how much of each unit is not."""
        if self._limits is None:
            return received, {}
        limited = within_limit(received.messages, self._limits.received)
        left_out = {(m.unit_id, 'too_many'): int((~m.looked_at).sum()) for m in limited if m.looked_at is not None}
        count = len(received.fused)
        return Received(tuple(limited[:count]), tuple(limited[count:])), left_out

    def _taken(self, infra: LateBoxes,
               matches: Sequence[Match]) -> tuple[np.ndarray, Mapping[tuple[str, str], int]]:
        """Tell (N,) which boxes late fusion takes in, and how many of each unit there is no room for."""
        # Others' trackers, which number tracks anew, are measured as they are.
        if self._limits is None or not self._late.keeps_identities:
            return infra.may_create, {}
        return within_room(infra, {(m.unit_id, m.infra_index) for m in matches}, self._limits)

    def learn_poses(self) -> None:
        """
        Learn of the poses of units from the last step, when its result is on the way: some calls decode once more.

        Who neither corrects poses nor shows their errors may leave it out.
        """
        stamp_ns, received, online_extrinsics = self._last
        self._poses.update(received.messages, stamp_ns, partial(self._tracker.look, self._state), online_extrinsics)

    def misalignment(self, unit_id: str) -> Misalignment | None:
        """Return the error in the pose of a unit as far as what both see tells it, None before that is enough."""
        return self._poses.estimate(unit_id)

    def misalignment_change(self, unit_id: str) -> Misalignment | None:
        """Return how that error differs from the one of the minute before, None unless it does."""
        return self._poses.change(unit_id)

    def misalignment_now(self, unit_id: str) -> Misalignment | None:
        """Return that error as the last ten seconds alone tell it, None if they do not."""
        return self._poses.now(unit_id)

    def _provenance(self, tracks: Boxes, matches: Sequence[Match], output: FrameOutput,
                    received: Received) -> np.ndarray:
        """Return whom each track comes from (N,); what may only confirm speaks of the vehicle's own tracks alone."""
        confirm = {m.unit_id for m in received.messages if not m.may_create}
        own = {match.track_id: np.inf if match.unit_id in confirm else match.ego_score for match in matches}

        def source(track_id: int) -> Provenance:
            if track_id not in own:
                unseen = track_id >= ROADSIDE_FIRST_ID or track_id in output.unseen
                return Provenance.ROADSIDE if unseen else Provenance.EGO
            return Provenance.FUSED if own[track_id] >= self._limit else Provenance.ROADSIDE
        return np.array([source(track_id) for track_id in tracks.track_id.tolist()], np.int64)


def _late_matches(tracks: Boxes, infra: LateBoxes, min_gate_m: float) -> tuple[Match, ...]:
    """Return which roadside boxes late fusion takes for which tracks of the vehicle; affinity is certain or none."""
    return tuple(
        Match(int(tracks.track_id[row]), *infra.source[column], int(infra.boxes.track_id[column]), 1.0,
              float(tracks.score[row]))
        for row, column in zip(*match_boxes(tracks, infra.boxes, min_gate_m, infra.remembered), strict=True))
