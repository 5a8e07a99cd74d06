"""One agent's tracker: a pure step from state and frame to state and output (model.md 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ..model.boxes import denormalize
from ..model.fast.int8 import Ranges
from ..model.fast.network import FastNetwork
from ..model.fast.quantized import Int8Network
from ..model.network import CoopTrackNetwork
from ..model.preprocess import prepare_image, prepare_projection
from .config import ModelConfig, TrackerConfig
from .ego_motion import can_bus, row_vector_pose
from .flow import FeatureFlow
from .fusion import Fusion, Observer, adapt, fuse
from .lifecycle import Instances, RowPose, Support, assign_ids, propagate, survive
from .query_fusion import fuse_queries
from .readout import message_of, report
from .stages import FrameStages, StageClock, TrackerInput, decode, reason, refine
from .timeline import Moment, continues
from .types import Frame, FrameOutput, InstanceSet, Match, OwnView, RoadsideMessage, Side

QueryOrder = Callable[[int, int], Tensor]
"""(number of queries, step) -> permutation; says which learned queries join live tracks (Q9)."""


@dataclass(frozen=True)
class TrackerState:
    """Everything that a tracker carries from frame to frame; a value."""

    moment: Moment | None
    tracks: Instances
    bev: Tensor | None
    """(1, cells, C)."""
    next_id: int
    step: int
    """Frames since the start of the tracker; seeds the choice of queries."""
    support: Mapping[int, Support] = field(default_factory=dict)
    """By identity of a live track; on the cooperative side only."""


def seeded_order(count: int, step: int) -> Tensor:
    """Return a random permutation that depends on the step alone."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(step))


def first_order(count: int, step: int) -> Tensor:
    """Return the learned order."""
    return torch.arange(count)


class AgentTracker:
    """
    Runs a network frame by frame.

    The object holds weights and caches only; all memory is in the ``TrackerState`` that goes in and comes out.
    """

    def __init__(self, network: CoopTrackNetwork, config: ModelConfig, side: Side, device: str = 'cpu',
                 query_order: QueryOrder | None = None, flow: FeatureFlow | None = None,
                 execution: str = 'reference', ranges: Ranges | None = None):
        """
        Prepare a tracker.

        :param query_order: replaces the choice of the configuration (``behaviour.query_fill``).
        :param flow: how features of the units' model go on, used with ``behaviour.compensation`` of that name.
        :param execution: ``fast``, ``int8``, or ``reference`` for the network as it is written; later changes of the
            weights reach the reference only.
        :param ranges: of the activations, for ``int8``.
        """
        network = network.to(device).eval()
        arrangements = {'reference': lambda n: n, 'fast': FastNetwork, 'int8': lambda n: Int8Network(n, ranges)}
        self.network = arrangements[execution](network)
        self.config, self.side, self.device = config, side, torch.device(device)
        self.stages = FrameStages(self.network, config, side, self.device, flow)
        orders = {'random': seeded_order, 'first_n': first_order}
        self._query_order = query_order or orders[config.behaviour.query_fill]
        with torch.inference_mode():
            points = self.network.query_points.weight
            self._queries = Instances.new(
                points, self.network.query_features.weight, self.network.embed_points(points), config.hist_len,
                len(config.class_names))

    def initial(self) -> TrackerState:
        """Return the state before the first frame."""
        return TrackerState(None, self._queries[:0], None, 1, 0)

    def prepare(self, frame: Frame) -> TrackerInput:
        """
        Return the network input of a frame.

        :raises ValueError: without pictures, with unusable ones, or if their number differs from the projections'.
        """
        if not frame.images or len(frame.images) != len(frame.img_from_lidar):
            raise ValueError(f'a frame needs one projection per picture and at least one of both, not '
                             f'{len(frame.images)} pictures and {len(frame.img_from_lidar)} projections')
        pictures = self._pictures(frame.images)
        projections = np.stack([prepare_projection(matrix, image.shape, self.config)
                                for matrix, image in zip(frame.img_from_lidar, frame.images, strict=True)])
        moment = Moment(frame.sequence, frame.stamp_ns, frame.global_from_lidar, can_bus(frame.global_from_ego))
        return TrackerInput(moment, pictures, projections)

    def _pictures(self, images: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack([prepare_image(image, self.config) for image in images]))

    def step(self, state: TrackerState, frame: Frame, messages: Sequence[RoadsideMessage] = ()
             ) -> tuple[TrackerState, FrameOutput]:
        """
        Process one frame; ``state`` stays valid.

        :param messages: what roadside units sent, for the cooperative side only; order does not matter.
        :raises ValueError: for messages to another side, or a frame that ``prepare`` refuses.
        """
        clock = StageClock(self.device)
        inputs = self.prepare(frame)
        clock.mark('preprocess')
        return self.advance(state, inputs, messages, clock=clock)

    @torch.inference_mode()
    def advance(self, state: TrackerState, inputs: TrackerInput, messages: Sequence[RoadsideMessage] = (),
                observe: Observer = lambda name, value: None,
                clock: StageClock | None = None) -> tuple[TrackerState, FrameOutput]:
        """
        Process one prepared frame, see ``step``.

        :param observe: is shown intermediate results by name.
        """
        if messages and self.side is not Side.COOPERATIVE:
            raise ValueError(f'the {self.side.value} side takes no messages, got {len(messages)}')
        clock = clock or StageClock(self.device)
        now = inputs.moment
        reset = not continues(now, state.moment, self._settings.reset_gap_s)
        previous = None if reset else state.moment
        if reset:
            state = TrackerState(None, self._queries[:0], None, self._first_id(state, now), state.step)

        rows = self._fill(self._propagate(state, now, observe), state.step)
        clock.mark('propagate')
        bev = self.stages.encode(inputs, previous, state.bev, observe, clock)
        received = []
        if self.side is Side.COOPERATIVE:
            received = self.stages.receive(messages, now.stamp_ns, observe)
            clock.mark('alignment')
        joins_queries = self.config.behaviour.fusion_stage == 'before_decoder'
        queries = fuse_queries(
            self.network, rows, [r for r in received if r.message.may_create] if joins_queries else [])
        rows, decoder_scores = decode(self.network, queries.instances, bev, observe)
        clock.mark('decoder')
        rows = reason(self.network, rows, observe)
        clock.mark('reasoning')
        fusion = replace(queries, instances=rows, decoder_scores=decoder_scores, own_points=rows.ref_points)
        if self.side is Side.COOPERATIVE:
            fusion = fuse(self.network, fusion, [] if joins_queries else received, observe)
            fusion = replace(fusion, instances=adapt(self.network, fusion.instances))
            observe('fused', fusion)
            clock.mark('fusion')

        rows = refine(self.network, fusion.instances)
        rows, next_id = assign_ids(rows, state.next_id, self._settings.score_threshold)
        rows, live = survive(rows, self._settings)
        support: dict[int, Support] = {}
        if self.side is Side.COOPERATIVE:
            support = self._support(state, now, fusion, rows, live, [r.message for r in received])
            live = live & torch.isin(rows.ids, rows.ids.new_tensor(list(support)))
        observe('final', rows)
        matches = matches_of(fusion, rows, live, [r.message for r in received])
        output = self._output(now, rows, live, message_of(rows, live, fusion.own_points), matches, reset)
        clock.mark('output')
        output.stage_seconds.update(clock.seconds)
        return TrackerState(now, rows[live], bev, next_id, state.step + 1, support), output

    @torch.inference_mode()
    def look(self, state: TrackerState) -> OwnView:
        """
        Return what the agent finds in the map of its last frame when it knows of no track.

        Nothing that was received has a part in it. Costs a pass through the decoder.
        """
        bev = self._map_of(state)
        if bev is None:
            return OwnView(np.zeros((0, 3)), np.zeros(0))
        rows, scores = decode(self.network, self._queries, bev, lambda name, value: None)
        points = denormalize(rows.ref_points, self.config.range_of(self.side).pc_range)
        return OwnView(points.double().cpu().numpy(), scores.double().cpu().numpy())

    def _map_of(self, state: TrackerState) -> Tensor | None:
        return state.bev

    def _support(self, state: TrackerState, now: Moment, fusion: Fusion, rows: Instances, live: Tensor,
                 messages: list[RoadsideMessage]) -> dict[int, Support]:
        """Return what live tracks stand on, without those that have outlived it."""
        places = torch.nonzero(live).flatten()
        support = {}
        for track, score, unit in zip(*(x[places].tolist() for x in (rows.ids, fusion.decoder_scores, fusion.unit)),
                                      strict=True):
            new = state.support.get(track, Support()).renewed(
                now.stamp_ns, score >= self._settings.output_threshold,
                messages[unit].stamp_ns if unit >= 0 else None)
            if not new.is_outlived(now.stamp_ns, self.config.behaviour.roadside_lifetime_s):
                support[track] = new
        return support

    @property
    def _settings(self) -> TrackerConfig:
        return self.config.tracker_of(self.side)

    def row_pose(self, moment: Moment) -> RowPose:
        """Return the lidar pose in the precision of the configuration (Q24)."""
        if self.config.behaviour.ego_motion_input == 'relative':
            pose = moment.global_from_lidar
            matrices = (np.ascontiguousarray(pose[:3, :3].T), pose[:3, 3].copy())
        else:
            matrices = row_vector_pose(moment.global_from_lidar)
        return tuple(torch.from_numpy(m).to(self.device) for m in matrices)

    def _first_id(self, state: TrackerState, now: Moment) -> int:
        gap = state.moment is not None and state.moment.sequence == now.sequence
        return state.next_id if gap and self.config.behaviour.keep_ids_after_gap else 1

    def _propagate(self, state: TrackerState, now: Moment, observe: Observer) -> Instances:
        if not len(state.tracks):
            return state.tracks
        tracks = propagate(state.tracks, now.seconds_since(state.moment), self.row_pose(state.moment),
                           self.row_pose(now), self.config.range_of(self.side).pc_range)
        observe('propagated', tracks)
        return tracks.with_(embedding=self.network.embed_points(tracks.ref_points))

    def _fill(self, tracks: Instances, step: int) -> Instances:
        """Put new queries before the live tracks until the number of queries is reached (5.1)."""
        total = self.config.num_queries
        if not len(tracks):
            return self._queries
        order = self._query_order(total, step)[:max(total - len(tracks), 0)].to(self.device)
        return Instances.concatenate([self._queries[order], tracks])

    def _output(self, now: Moment, rows: Instances, live: Tensor, instances: InstanceSet,
                matches: tuple[Match, ...], reset: bool) -> FrameOutput:
        kept = live if self.config.behaviour.report_only_live else torch.ones_like(live)
        tracks, reported = report(rows, self.config, self.side, kept & (rows.scores >= self._settings.output_threshold))
        detections, _ = report(rows, self.config, self.side, torch.ones_like(live))
        return FrameOutput(now.stamp_ns, tracks, live[reported].cpu().numpy(), detections,
                           instances, matches, reset)


def matches_of(fusion: Fusion, rows: Instances, live: Tensor, messages: list[RoadsideMessage]) -> tuple[Match, ...]:
    """Return the fusions of live tracks."""
    chosen = torch.nonzero(live & (fusion.unit >= 0)).flatten().tolist()
    matches = []
    for row in chosen:
        message, index = messages[int(fusion.unit[row])], int(fusion.index[row])
        infra_id = int(message.instances.boxes.track_id[index])
        matches.append(Match(int(rows.ids[row]), message.unit_id, index, infra_id, float(fusion.affinity[row]),
                             float(fusion.decoder_scores[row])))
    return tuple(matches)
