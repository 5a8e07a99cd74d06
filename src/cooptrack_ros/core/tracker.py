"""One agent's tracker: a pure step from state and frame to state and output (model.md 2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..model.bev_geometry import BevGeometry, bev_geometry, bev_motion
from ..model.boxes import denormalize
from ..model.network import CoopTrackNetwork
from ..model.preprocess import prepare_image, prepare_projection
from ..model.reasoning import replace_newest, shift_history, shift_padding
from .config import ModelConfig, TrackerConfig
from .ego_motion import can_bus, row_vector_pose
from .fusion import Fusion, Observer, adapt, fuse, receive, up_to_date
from .lifecycle import Instances, RowPose, assign_ids, propagate, survive
from .query_fusion import fuse_queries
from .readout import message_of, report
from .timeline import Moment, continues
from .types import Frame, FrameOutput, Match, RoadsideMessage, Side

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


@dataclass(frozen=True)
class TrackerInput:
    """A frame as the network takes it."""

    moment: Moment
    images: Tensor
    """(V, 3, rows, columns), normalised."""
    img_from_lidar: np.ndarray
    """(V, 4, 4) to pixels of ``images``."""


def seeded_order(count: int, step: int) -> Tensor:
    """Return a random permutation that depends on the step alone."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(step))


def first_order(count: int, step: int) -> Tensor:
    """Return the learned order."""
    return torch.arange(count)


class StageClock:
    """Adds up the time between marks under their names."""

    def __init__(self, device: torch.device):
        """Start the clock."""
        self._synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Book the time since the last mark on a stage."""
        self._synchronize()
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


class AgentTracker:
    """
    Runs a network frame by frame.

    The object holds weights and caches only; all memory is in the ``TrackerState`` that goes in and comes out.
    """

    def __init__(self, network: CoopTrackNetwork, config: ModelConfig, side: Side, device: str = 'cpu',
                 query_order: QueryOrder | None = None):
        """
        Prepare a tracker.

        :param query_order: replaces the choice of the configuration (``behaviour.query_fill``).
        """
        self.network = network.to(device).eval()
        self.config, self.side = config, side
        self.device = torch.device(device)
        orders = {'random': seeded_order, 'first_n': first_order}
        self._query_order = query_order or orders[config.behaviour.query_fill]
        self._geometry: tuple[bytes, BevGeometry] | None = None
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
        images = np.stack([prepare_image(image, self.config) for image in frame.images])
        projections = np.stack([prepare_projection(matrix, image.shape, self.config)
                                for matrix, image in zip(frame.img_from_lidar, frame.images, strict=True)])
        moment = Moment(frame.sequence, frame.stamp_ns, frame.global_from_lidar, can_bus(frame.global_from_ego))
        return TrackerInput(moment, torch.from_numpy(images), projections)

    def step(self, state: TrackerState, frame: Frame, messages: Sequence[RoadsideMessage] = (),
             zero_features: bool = False) -> tuple[TrackerState, FrameOutput]:
        """
        Process one frame; ``state`` stays valid.

        :param messages: what roadside units sent, for the cooperative side only; order does not matter.
        :param zero_features: replace received features by zeros, see ``core.fusion.receive``.
        :raises ValueError: for messages to another side, or a frame that ``prepare`` refuses.
        """
        clock = StageClock(self.device)
        inputs = self.prepare(frame)
        clock.mark('preprocess')
        return self.advance(state, inputs, messages, zero_features, clock=clock)

    @torch.inference_mode()
    def advance(self, state: TrackerState, inputs: TrackerInput, messages: Sequence[RoadsideMessage] = (),
                zero_features: bool = False, observe: Observer = lambda name, value: None,
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
        features = self.network.image_features(inputs.images[None].to(self.device))
        observe('features', features)
        clock.mark('image_features')
        bev = self._encode(features, inputs, previous, state.bev, observe)
        clock.mark('bev_encoder')
        received = []
        if self.side is Side.COOPERATIVE:
            current = [up_to_date(self.network, m, now.stamp_ns) for m in messages]
            received = receive(self.network, current, zero_features, observe)
            clock.mark('alignment')
        joins_queries = self.config.behaviour.fusion_stage == 'before_decoder'
        queries = fuse_queries(self.network, rows, received if joins_queries else [])
        rows, decoder_scores = self._decode(queries.instances, bev, observe)
        clock.mark('decoder')
        rows = self._reason(rows, observe)
        clock.mark('reasoning')
        fusion = replace(queries, instances=rows, decoder_scores=decoder_scores, own_points=rows.ref_points)
        if self.side is Side.COOPERATIVE:
            fusion = fuse(self.network, fusion, [] if joins_queries else received, observe)
            fusion = replace(fusion, instances=adapt(self.network, fusion.instances))
            observe('fused', fusion)
            clock.mark('fusion')

        rows = self._refine(fusion.instances)
        rows, next_id = assign_ids(rows, state.next_id, self._settings.score_threshold)
        rows, live = survive(rows, self._settings)
        observe('final', rows)
        own = denormalize(fusion.own_points, self.config.range_of(self.side).pc_range)
        matches = _matches(fusion, own, rows, live, [r.message for r in received])
        output = self._output(now, rows, live, matches, reset)
        clock.mark('output')
        output.stage_seconds.update(clock.seconds)
        return TrackerState(now, rows[live], bev, next_id, state.step + 1), output

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

    def _encode(self, features: Tensor, inputs: TrackerInput, previous: Moment | None, bev: Tensor | None,
                observe: Observer) -> Tensor:
        key = inputs.img_from_lidar.tobytes()
        if self._geometry is None or self._geometry[0] != key:
            self._geometry = key, bev_geometry(self.config, self.side, inputs.img_from_lidar, self.device)
        motion = bev_motion(self.config, self.side, inputs.moment, previous, self.device)
        if bev is not None:
            bev = self.network.align_bev(bev, motion)
        elif self.config.behaviour.first_bev == 'zeros':
            rows, columns = self.config.bev_size
            bev = features.new_zeros(1, rows * columns, self.config.embed_dims)
        observe('geometry', self._geometry[1])
        observe('motion', motion)
        observe('aligned_bev', bev)
        bev = self.network.encode_bev(features, self._geometry[1], motion, bev)
        observe('bev', bev)
        return bev

    def _decode(self, rows: Instances, bev: Tensor, observe: Observer) -> tuple[Instances, Tensor]:
        observe('queries', rows)
        decoded = self.network.decode(bev, rows.semantic[None], rows.embedding[None], rows.ref_points[None])
        observe('decoded', decoded)
        refs = decoded.refs[-1, 0]
        rows = rows.with_(semantic=decoded.feats[-1, 0], ref_points=refs, codes=decoded.boxes[-1, 0],
                          embedding=self.network.embed_points(refs))
        return rows, decoded.logits[-1, 0].sigmoid().amax(-1)

    def _reason(self, rows: Instances, observe: Observer) -> Instances:
        rows = rows.with_(motion=self.network.motion_features(rows.codes, rows.semantic))
        observe('coarse', rows)
        hist_semantic = shift_history(rows.hist_semantic, rows.semantic)
        hist_motion = shift_history(rows.hist_motion, rows.motion)
        padding = shift_padding(rows.hist_padding)
        semantic, motion = self.network.reason(
            rows.semantic[None], rows.motion[None], hist_semantic[None], hist_motion[None], padding[None],
            rows.embedding[None])
        rows = rows.with_(semantic=semantic[0], motion=motion[0], hist_padding=padding,
                          hist_semantic=replace_newest(hist_semantic, semantic[0]),
                          hist_motion=replace_newest(hist_motion, motion[0]))
        observe('reasoned', rows)
        return rows

    def _refine(self, rows: Instances) -> Instances:
        logits, codes, refs = self.network.refine(rows.semantic, rows.motion, rows.ref_points)
        scores, labels = logits.sigmoid().max(-1)
        return rows.with_(ref_points=refs, codes=codes, scores=scores, labels=labels, logits=logits)

    def _output(self, now: Moment, rows: Instances, live: Tensor, matches: tuple[Match, ...],
                reset: bool) -> FrameOutput:
        kept = live if self.config.behaviour.report_only_live else torch.ones_like(live)
        tracks, reported = report(rows, self.config, self.side, kept & (rows.scores >= self._settings.output_threshold))
        detections, _ = report(rows, self.config, self.side, torch.ones_like(live))
        return FrameOutput(now.stamp_ns, tracks, live[reported].cpu().numpy(), detections, message_of(rows[live]),
                           matches, reset)


def _matches(fusion: Fusion, own: Tensor, rows: Instances, live: Tensor,
             messages: list[RoadsideMessage]) -> tuple[Match, ...]:
    """Return the fusions of live tracks; ``own`` (N, 3) is where the vehicle alone had put them."""
    chosen = torch.nonzero(live & (fusion.unit >= 0)).flatten().tolist()
    matches = []
    for row in chosen:
        message, index = messages[int(fusion.unit[row])], int(fusion.index[row])
        infra_id = int(message.instances.boxes.track_id[index])
        matches.append(Match(int(rows.ids[row]), message.unit_id, index, infra_id, float(fusion.affinity[row]),
                             float(fusion.decoder_scores[row]),
                             tuple(own[row].tolist()) if own[row].isfinite().all() else None))
    return tuple(matches)
