"""The vehicle's tracker together with late fusion for messages whose features cannot be fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from .duplicates import distinct
from .late import LateConfig, LateTracker, fuse_boxes, match_boxes, message_stamps, roadside_boxes, without_host
from .misalignment import Misalignment, MisalignmentEstimator
from .types import Boxes, Frame, FrameOutput, Match, OwnView, RoadsideMessage
from .warm_up import warm_up


class Tracker(Protocol):
    """What an agent needs of ``core.tracker.AgentTracker``."""

    def initial(self) -> Any:
        """Return the state before the first frame."""

    def step(self, state: Any, frame: Frame, messages: Sequence[RoadsideMessage] = ()) -> tuple[Any, FrameOutput]:
        """Process one frame."""

    def look(self, state: Any) -> OwnView:
        """Return what the agent finds in the map of its last frame without knowing of a track."""


@dataclass(frozen=True)
class EgoResult:
    """
    One frame of the vehicle: live tracks (identities of the core), all detections, and what was fused.

    ``mode`` says what produced it: ``cooperative`` (features), ``late`` (boxes only) or ``none``.
    """

    tracks: Boxes
    detections: Boxes
    matches: tuple[Match, ...]
    mode: str
    output: FrameOutput


class EgoAgent:
    """Runs the tracker frame by frame and remembers its state."""

    def __init__(self, tracker: Tracker, fuses_late: bool, roadside_lifetime_s: float = float('inf')):
        """
        Start before the first frame.

        :param fuses_late: boxes may be taken in after the network; their tracks are then kept up in every frame.
        :param roadside_lifetime_s: of those tracks after the last message, as the network has it for its own.
        """
        self._tracker, self._fuses_late = tracker, fuses_late
        self._poses = MisalignmentEstimator()
        self._state, self._stamp_ns = tracker.initial(), 0
        self._late = LateTracker(LateConfig(lifetime_s=roadside_lifetime_s))
        self._late_state = self._late.initial()

    def misalignment(self, unit_id: str) -> Misalignment | None:
        """Return the error in the pose of a unit as far as what both see tells it, None before that is enough."""
        return self._poses.estimate(unit_id)

    def check_poses(self, messages: Sequence[RoadsideMessage], corrects_poses: bool) -> None:
        """
        Learn of the poses of units after a step, when its result is on the way: some calls look at the map again.

        :param messages: of that step; :param corrects_poses: of the steps to come.
        """
        self._poses.update(messages, self._stamp_ns, partial(self._tracker.look, self._state), corrects_poses)

    def warm_up(self, frame: Frame) -> None:
        """Run the network some times without remembering anything."""
        self._tracker.look(warm_up(self._tracker, frame))

    def step(self, frame: Frame, fused: Sequence[RoadsideMessage], late: Sequence[RoadsideMessage],
             corrects_poses: bool = False) -> EgoResult:
        """
        Process one frame.

        :param fused: messages whose features the network fuses; :param late: messages of which only boxes are used.
        :param corrects_poses: use what was learned of the error in a unit's pose.
        """
        placed = self._poses.correct(fused) if corrects_poses else fused
        self._state, output = self._tracker.step(self._state, frame, placed)
        self._stamp_ns = output.stamp_ns
        tracks, detections, matches = output.tracks[output.live], output.detections, output.matches
        if output.reset:
            self._late_state = self._late.initial()
        if self._fuses_late:
            infra, infra_ns = Boxes.empty(), np.zeros(0, np.int64)
            if late:
                late = self._poses.correct(late) if corrects_poses else late
                keep = distinct(late)
                kept = np.concatenate(keep)
                infra = roadside_boxes(late, output.stamp_ns)[kept]
                matches += _late_matches(tracks, infra, late, keep)
                # What may only confirm has done so in the matches: in late fusion the box of the vehicle wins.
                may = np.array([m.may_create for m in late for _ in range(len(m.instances))], bool)[kept]
                infra, infra_ns = infra[may], message_stamps(late)[kept][may]
                detections, _, _ = fuse_boxes(detections, without_host(infra), self._late.config)
            self._late_state, tracks = self._late.step(
                self._late_state, tracks, infra, infra_ns, frame.global_from_lidar, output.stamp_ns)
        mode = 'cooperative' if fused else 'late' if late else 'none'
        return EgoResult(tracks, detections, matches, mode, output)


def _late_matches(tracks: Boxes, infra: Boxes, messages: Sequence[RoadsideMessage],
                  keep: Sequence[np.ndarray]) -> tuple[Match, ...]:
    """
    Return which roadside boxes stand where the vehicle sees an object itself; affinity is certain or none.

    :param infra: boxes of those instances of the messages that ``keep`` lets in, in order.
    """
    owners = [(m.unit_id, int(i)) for m, used in zip(messages, keep, strict=True) for i in np.flatnonzero(used)]
    rows, columns = match_boxes(tracks, infra)
    return tuple(Match(int(tracks.track_id[r]), *owners[c], int(infra.track_id[c]), 1.0, float(tracks.score[r]))
                 for r, c in zip(rows, np.asarray(columns, int), strict=True))
