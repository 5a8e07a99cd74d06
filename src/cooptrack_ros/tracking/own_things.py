"""Things that an occupancy head follows by itself: born, kept and ended by the scores of their masks (TrackOcc)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.method_config import TrackerConfig
from ..common.timeline import StampedPose, continues
from ..common.types import Frame, Side
from ..model.instances.boxes import denormalize
from ..model.network import CoopTrackNetwork
from ..model.occupancy.head import MaskOutput, OccupancyHead, Queries
from ..occupancy.grids import Grid
from ..occupancy.merging import MergeRules
from .frame_records import Past, TrackerInput
from .frame_stages import FrameStages, reason
from .lifecycle import Instances, assign_ids, propagate, survive
from .panoptic import PanopticFrame, VolumeView, queries_of
from .tracker import AgentTracker

RESETS = ('keep', 'birth')


@dataclass(frozen=True)
class ThingLife:
    """
    A thing begins with a score of ``birth``; the ``max_misses``-th frame in a row with less than ``keep`` ends it.

    ``reset_at``: which of the two scores ends a row of misses; ``birth`` in the published code, so that there the
    frames need not be in a row.
    """

    birth: float = 0.3
    keep: float = 0.25
    max_misses: int = 3
    reset_at: str = 'keep'


@dataclass(frozen=True)
class ThingFrame:
    """
    What a frame says before anybody is born or ends.

    ``rows`` are the T things, those known before first, then all that could be new; ``output`` is of these, then of
    stuff; ``bev`` (1, cells, C).
    """

    bev: Tensor
    output: MaskOutput
    rows: Instances


class ThingStages:
    """The stages of such a frame; inference and training run the same."""

    def __init__(self, stages: FrameStages, head: OccupancyHead):
        """
        Take the stages of the tracker, whose encoder, motion and memory of tracks it shares.

        :raises ValueError: if the head has no queries of its own.
        """
        if head.sizes.queries != 'own':
            raise ValueError('this head has no queries of things of its own')
        self.stages, self.head = stages, head
        self.view = VolumeView(head, stages.config, stages.side, stages.device)
        self._range = stages.config.range_of(stages.side).pc_range

    def look(self, past: Past | None, inputs: TrackerInput) -> ThingFrame:
        """Return what a frame says of the things of the one before, and of new ones."""
        features, bev = self.stages.encode(inputs, past, _unseen, _unmarked)
        new = self.head.new_things(1)
        rows = self._new(new)
        if past is not None and len(past.tracks):
            rows = Instances.concatenate([self._moved(past, inputs.stamped_pose), rows])
        output = self.head(features, bev, self.view.of(inputs.img_from_lidar), queries_of(rows))
        return ThingFrame(bev, output, self._found(rows, output))

    def carried(self, rows: Instances) -> Instances:
        """Return things as the next frame takes them: with what they remember of themselves and see of each other."""
        return reason(self.stages.network, rows, _unseen) if len(rows) else rows

    def _moved(self, past: Past, now: StampedPose) -> Instances:
        stages = self.stages
        tracks = propagate(past.tracks, now.seconds_since(past.stamped_pose), stages.row_pose(past.stamped_pose),
                           stages.row_pose(now), self._range, stages.method.carried_motion)
        return tracks.with_(embedding=stages.network.embed_points(tracks.ref_points))

    def _new(self, new: Queries) -> Instances:
        return Instances.new(new.reference[0], new.feats[0], new.embeds[0], self.stages.config.hist_len,
                             len(self.head.taxonomy.classes))

    def _found(self, rows: Instances, output: MaskOutput) -> Instances:
        """Return the rows with places, velocities and classes as the head finds them."""
        count = len(rows)
        points, velocity = output.reference[0, :count], output.velocity[0, :count]
        metres, zero = denormalize(points, self._range), points.new_zeros(count, 1)
        codes = torch.cat([metres[:, :2], zero, zero, metres[:, 2:], zero, zero, zero + 1, velocity[:, :2]], dim=1)
        logits = output.logits[0, :count]
        scores, labels = logits[:, list(self.head.taxonomy.things)].sigmoid().max(-1)
        return rows.with_(semantic=output.feats[0, :count], ref_points=points, codes=codes, logits=logits,
                          scores=scores, labels=labels)


@dataclass(frozen=True)
class ThingState:
    """Everything that is carried from frame to frame; a value."""

    past: Past | None = None
    next_id: int = 1


class ThingTracker:
    """Runs a head with queries of its own frame by frame; all memory is in the state that goes in and comes out."""

    def __init__(self, network: CoopTrackNetwork, head: OccupancyHead, config: ModelConfig, side: Side,
                 device: str = 'cpu', life: ThingLife | None = None, rules: MergeRules | None = None):
        """Take the network whose features the head reads."""
        self._tracker = AgentTracker(network, config, side, device)
        self.head = head.to(device).eval()
        self.stages = ThingStages(self._tracker.stages, self.head)
        self._life, self._rules = life or ThingLife(), rules or MergeRules()
        self._gap_s = config.tracker_of(side).reset_gap_s

    @property
    def grid(self) -> Grid:
        """Grid of the volumes, in the lidar frame of the side."""
        return self.stages.view.grid

    def initial(self) -> ThingState:
        """Return the state before the first frame."""
        return ThingState()

    @torch.inference_mode()
    def step(self, state: ThingState, frame: Frame) -> tuple[ThingState, PanopticFrame]:
        """Process one frame; ``state`` stays valid."""
        inputs, past = self._tracker.prepare(frame), state.past
        if past is not None and not continues(inputs.stamped_pose, past.stamped_pose, self._gap_s):
            past = None
        seen = self.stages.look(past, inputs)
        born = torch.nonzero((seen.rows.ids >= 0) | (seen.rows.scores >= self._life.birth)).flatten()
        rows, live, next_id = after(seen.rows[born], state.next_id, self._life)
        drawn = live & (rows.scores >= self._life.keep)
        stuff = torch.arange(len(seen.rows), seen.output.logits.shape[1], device=born.device)
        output, ids = seen.output.chosen(torch.cat([born[drawn], stuff])), rows.ids[drawn]
        volume = self.head.volume(output, ids, self._rules)
        past = Past(inputs.stamped_pose, self.stages.carried(rows[live]), seen.bev)
        return ThingState(past, next_id), PanopticFrame(volume, output, ids)


def after(rows: Instances, next_id: int, life: ThingLife) -> tuple[Instances, Tensor, int]:
    """Return things with identities and counts of misses, which of them (N,) live on, and the next free identity."""
    before = rows.missed
    rows, next_id = assign_ids(rows, next_id, life.birth)
    rows, live = survive(rows, TrackerConfig(score_threshold=life.keep, max_age=life.max_misses))
    if life.reset_at == 'birth':
        unsure = (rows.scores > life.keep) & (rows.scores < life.birth)
        rows = rows.with_(missed=torch.where(unsure, before, rows.missed))
    return rows, live, next_id


def _unseen(name: str, value: object) -> None:
    """Look at nothing."""


def _unmarked(stage: str) -> None:
    """Take no time."""
