"""
One frame of one agent: its stages on rows of instances, and the step that runs them (method.md 2, 5 to 10).

Inference and training run the same step: ``tracking.tracker`` adds the life cycle of tracks to it,
``train.tracking_stage`` a criterion. Both read the record that it returns, and so does every further head.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.ego_motion import row_vector_pose
from ..common.timeline import StampedPose
from ..common.types import RoadsideMessage, Side
from ..cooperation.association_memory import AssociationMemory
from ..cooperation.feature_flow import FeatureFlow
from ..cooperation.limits import Limits
from ..model.bev.geometry import BevGeometry, bev_geometry, bev_motion
from ..model.cooperation.alignment import AlignedInstances
from ..model.instances.boxes import denormalize
from ..model.instances.decoder import DecoderOutput
from ..model.instances.reasoning import replace_newest, shift_history, shift_padding
from ..model.lidar.branch import LidarBranch
from ..model.network import CoopTrackNetwork
from .frame_records import DecodedFrame, Past, TrackedFrame, TrackerInput
from .fusion import (
    Association,
    Fusion,
    Reach,
    Received,
    StageObserver,
    adapt,
    aggregate,
    align_message,
    associate,
    open_rows,
    own_rows,
    receive,
    rooms,
    up_to_date,
    with_memory,
)
from .lifecycle import Instances, RowPose, propagate, survive
from .opinions import said_of, weigh
from .query_fusion import fuse_queries

Mark = Callable[[str], None]
"""Called with the name of a stage when it is done."""
Order = Callable[[], Tensor]
"""Gives a permutation (N,) of the learned queries."""


class FrameStages:
    """
    The stages of a frame as methods, in order, and the step that runs them; training and studies replace single ones.

    The object holds weights and caches only.
    """

    def __init__(self, network: CoopTrackNetwork, config: ModelConfig, side: Side, device: torch.device,
                 flow: FeatureFlow | None = None, lidar: LidarBranch | None = None):
        """Take a network and a point cloud branch on their device; :param flow: see ``up_to_date``."""
        self.lidar = lidar
        self.remembers_camera = lidar is not None and lidar.sizes.memory == 'camera'
        """Whether the next frame starts from the BEV features of the cameras alone."""
        self.network, self.config, self.side, self.device, self.flow = network, config, side, device, flow
        self.method, self.limits = config.method, Limits.of(config)
        self.clock: Callable[[], float] = time.perf_counter
        """For the time that fusion may take."""
        self._geometry: tuple[bytes, BevGeometry] | None = None

    def step(self, past: Past | None, inputs: TrackerInput, messages: Sequence[RoadsideMessage], order: Order,
             observe: StageObserver, mark: Mark) -> TrackedFrame:
        """
        Run a frame.

        :param past: of the sequence, None at a fresh start; :param order: see ``enter``.
        :param observe: is shown intermediate results by name; :param mark: is called when a stage is done.
        """
        return self.track(self.detect(past, inputs, messages, order, observe, mark), observe, mark)

    def detect(self, past: Past | None, inputs: TrackerInput, messages: Sequence[RoadsideMessage],
               order: Order, observe: StageObserver, mark: Mark) -> DecodedFrame:
        """Run the first half of a frame, up to the decoder, see ``step``."""
        features, camera_bev = self.encode(inputs, past, observe, mark)
        bev = self.join(camera_bev, inputs, observe, mark)
        rows = self.enter(past, inputs.stamped_pose, order, observe)
        mark('propagate')
        received: list[Received] = []
        started = self.clock()
        if self.side is Side.COOPERATIVE:
            now_ns, memory = inputs.stamped_pose.stamp_ns, past.memory if past else AssociationMemory()
            received = with_memory(self.receive(messages, now_ns, observe), memory, self.method, now_ns)
            mark('alignment')
        seconds = self.clock() - started
        queries = fuse_queries(self.network, rows, [r for r in received if r.message.may_create]
                               if self.joins_queries else [], self.limits)
        rows, decoded, twin = self.decode(queries.instances, bev, observe)
        mark('decoder')
        return DecodedFrame(inputs.stamped_pose, features, bev, tuple(received), seconds, queries, decoded, rows,
                            twin, camera_bev if self.remembers_camera else None)

    def track(self, seen: DecodedFrame, observe: StageObserver, mark: Mark) -> TrackedFrame:
        """Run the second half of a frame, from what the decoder found to what is reported."""
        reasoned = reason(self.network, seen.rows, observe)
        mark('reasoning')
        threshold = self.config.tracker_of(self.side).output_threshold
        sources = seen.queries.sources.with_(
            decoder_scores=seen.decoder_scores, own_points=reasoned.ref_points,
            protected=own_rows(reasoned, seen.decoder_scores, threshold))
        if not all(r.message.may_create for r in seen.received):
            sources = sources.with_(reported=reported_alone(self.network, reasoned))
        fusion, associations = replace(seen.queries, instances=reasoned, sources=sources), ()
        if self.side is Side.COOPERATIVE:
            received = () if self.joins_queries else seen.received
            fusion, associations = self.fuse(fusion, received, observe, seen.receiving_s)
            fusion = replace(fusion, instances=adapt(self.network, fusion.instances))
            observe('fused', fusion)
            mark('fusion')
        refined = rows = refine(self.network, fusion.instances)
        if self.config.adds(self.side) and seen.received:
            said = said_of(fusion.sources, seen.received, len(self.config.class_names))
            rows = weigh(self.network, refined, said, self.config.ego_range.pc_range)
        return TrackedFrame(seen, reasoned, associations, fusion, refined, rows)

    @property
    def joins_queries(self) -> bool:
        """Whether messages are fused before the decoder."""
        return self.method.fusion_stage == 'before_decoder'

    def encode(self, inputs: TrackerInput, past: Past | None, observe: StageObserver,
               mark: Mark) -> tuple[Tensor | None, Tensor]:
        """
        Return image features (1, V, C, h, w), None if there was no need for them, and BEV features (1, cells, C).

        Without an image the learned start of every cell takes their place.
        """
        if not len(inputs.images):
            return None, self.network.bev_encoder.queries.weight[None]
        features = self.network.image_features(inputs.images[None].to(self.device))
        observe('features', features)
        mark('image_features')
        key = inputs.img_from_lidar.tobytes()
        if self._geometry is None or self._geometry[0] != key:
            self._geometry = key, bev_geometry(self.config, self.side, inputs.img_from_lidar, self.device)
        motion = bev_motion(self.config, self.side, inputs.stamped_pose, past.stamped_pose if past else None,
                            self.device)
        bev = self.network.align_bev(past.bev, motion) if past else self.first_bev(features)
        observe('geometry', self._geometry[1])
        observe('motion', motion)
        observe('aligned_bev', bev)
        bev = self.network.encode_bev(features, self._geometry[1], motion, bev)
        observe('bev', bev)
        mark('bev_encoder')
        return features, bev

    def join(self, camera_bev: Tensor, inputs: TrackerInput, observe: StageObserver, mark: Mark) -> Tensor:
        """Return BEV features of cameras (1, cells, C) with what the point cloud shows, where there is a branch."""
        if self.lidar is None:
            return camera_bev
        bev = self.lidar(camera_bev, [inputs.cloud])
        observe('joined_bev', bev)
        mark('lidar')
        return bev

    def first_bev(self, features: Tensor) -> Tensor | None:
        """Return what stands for the BEV features before the first frame (method.md Q5)."""
        return self.empty_bev(features) if self.method.first_bev == 'zeros' else None

    def empty_bev(self, features: Tensor) -> Tensor:
        """Return zeros (1, cells, C) of the type of some features."""
        rows, columns = self.config.bev_size
        return features.new_zeros(1, rows * columns, self.config.embed_dims)

    def enter(self, past: Past | None, now: StampedPose, order: Order, observe: StageObserver) -> Instances:
        """
        Return the queries of a frame: new ones, then tracks carried over, as many as the network has.

        See method.md 5.1, 11.2.

        :param order: of the learned queries, asked for if there are tracks: the first ones join these (method.md Q9).
        """
        if past is None or not len(past.tracks):
            return self.learned_queries()
        pc_range = self.config.range_of(self.side).pc_range
        tracks = propagate(past.tracks, now.seconds_since(past.stamped_pose), self.row_pose(past.stamped_pose),
                           self.row_pose(now), pc_range, self.method.carried_motion)
        observe('propagated', tracks)
        tracks = tracks.with_(embedding=self.network.embed_points(tracks.ref_points))
        count = max(self.config.num_queries - len(tracks), 0)
        return Instances.concatenate([self.learned_queries(order()[:count].to(self.device)), tracks])

    def decode(self, rows: Instances, bev: Tensor,
               observe: StageObserver) -> tuple[Instances, DecoderOutput, DecoderOutput | None]:
        """Return the rows as the decoder finds them, what its layers say, and what ``DecodedFrame.twin`` holds."""
        return *decode(self.network, rows, bev, observe), None

    def learned_queries(self, order: Tensor | None = None) -> Instances:
        """Return all queries without a past, or those that are named."""
        return self._queries if order is None else self._queries[order]

    @cached_property
    def _queries(self) -> Instances:
        with torch.inference_mode():
            points = self.network.query_points.weight
            return Instances.new(points, self.network.query_features.weight, self.network.embed_points(points),
                                 self.config.hist_len, len(self.config.class_names))

    def row_pose(self, stamped_pose: StampedPose) -> RowPose:
        """Return the lidar pose in the precision of the configuration (method.md Q24)."""
        if self.method.ego_motion_input == 'relative':
            return self.exact_pose(stamped_pose)
        return tuple(torch.from_numpy(m).to(self.device) for m in row_vector_pose(stamped_pose.global_from_lidar))

    def exact_pose(self, stamped_pose: StampedPose) -> RowPose:
        """Return the lidar pose in float64."""
        pose = stamped_pose.global_from_lidar
        return (torch.from_numpy(np.ascontiguousarray(pose[:3, :3].T)).to(self.device),
                torch.from_numpy(pose[:3, 3].copy()).to(self.device))

    def receive(self, messages: Sequence[RoadsideMessage], stamp_ns: int, observe: StageObserver) -> list[Received]:
        """Return what units sent as it would be at a time, in the ego frame."""
        return receive(self.network, self.current(messages, stamp_ns), self.align, observe)

    def current(self, messages: Sequence[RoadsideMessage], stamp_ns: int) -> list[RoadsideMessage]:
        """Return messages as they would be at a time."""
        return [up_to_date(self.config, m, stamp_ns, self.flow) for m in messages]

    def align(self, message: RoadsideMessage, indices: np.ndarray) -> AlignedInstances:
        """Return the chosen instances of a message in the ego frame (CAA; method.md 8)."""
        return align_message(self.network, message, indices)

    def fuse(self, fusion: Fusion, received: Sequence[Received], observe: StageObserver,
             spent_s: float = 0.0) -> tuple[Fusion, tuple[Association, ...]]:
        """
        Associate and aggregate one unit after another; return the rows, and who went with whom.

        :param spent_s: of the time for fusion, before.
        """
        associations, started = [], self.clock() - spent_s
        for number, (unit, room) in enumerate(zip(received, rooms(self.limits, fusion.sources, received), strict=True)):
            if self.clock() - started > self.limits.seconds:
                fusion = fusion.without(unit, 'no_time', len(unit.indices))
                continue
            found = self.associate(fusion, unit)
            observe('affinity_logits', found.logits)
            observe('matches', (found.rows, found.columns))
            associations.append(found)
            fusion = aggregate(self.network, fusion, unit, found, number, room)
        return fusion, tuple(associations)

    def associate(self, fusion: Fusion, unit: Received) -> Association:
        """Return which instances of a unit go with which rows (GBA; method.md 9)."""
        rows, pc_range = fusion.instances, self.config.ego_range.pc_range
        own, others = (denormalize(p, pc_range) for p in (rows.ref_points, unit.aligned.ref_points))
        reach = Reach.of(self.method, unit, rows.ids)
        near = reach.near(own, others)
        chosen = open_rows(near, fusion.sources, unit.message)
        rows = rows[chosen]
        logits = self.network.association_logits(
            rows.semantic, rows.motion, rows.ref_points, unit.aligned, near[chosen])
        found, columns = associate(own[chosen], others, logits, self.method, reach[chosen])
        return Association(logits, chosen[found], columns, logits.sigmoid()[found, columns].detach())


def decode(network: CoopTrackNetwork, rows: Instances, bev: Tensor,
           observe: StageObserver) -> tuple[Instances, DecoderOutput]:
    """Return the rows as the decoder finds them in BEV features (1, cells, C), and what each of its layers says."""
    observe('queries', rows)
    decoded = network.decode(bev, rows.semantic[None], rows.embedding[None], rows.ref_points[None])
    observe('decoded', decoded)
    return as_found(network, rows, decoded), decoded


def as_found(network: CoopTrackNetwork, rows: Instances, decoded: DecoderOutput) -> Instances:
    """Return rows as the last layer of the decoder left them."""
    codes = decoded.boxes[-1, 0]
    if network.config.method.carried_motion:
        filled = (~rows.hist_padding).to(codes.dtype).sum(-1) / max(rows.hist_padding.shape[-1], 1)
        codes = network.track_motion(rows.codes, rows.previous_centre, rows.previous_age, filled, codes,
                                     decoded.feats[-1, 0])
    return rows.with_(semantic=decoded.feats[-1, 0], ref_points=decoded.refs[-1, 0], codes=codes)


def reason(network: CoopTrackNetwork, rows: Instances, observe: StageObserver) -> Instances:
    """Return the rows with motion features, both features enhanced by their histories, and these moved on."""
    rows = rows.with_(motion=network.motion_features(rows.codes, rows.semantic))
    hist_semantic = shift_history(rows.hist_semantic, rows.semantic)
    hist_motion = shift_history(rows.hist_motion, rows.motion)
    padding = shift_padding(rows.hist_padding)
    rows = rows.with_(embedding=network.embed_points(rows.ref_points))
    observe('coarse', rows)
    semantic, motion = network.reason(
        rows.semantic[None], rows.motion[None], hist_semantic[None], hist_motion[None], padding[None],
        rows.embedding[None])
    rows = rows.with_(semantic=semantic[0], motion=motion[0], hist_padding=padding,
                      hist_semantic=replace_newest(hist_semantic, semantic[0]),
                      hist_motion=replace_newest(hist_motion, motion[0]))
    observe('reasoned', rows)
    return rows


def refine(network: CoopTrackNetwork, rows: Instances) -> Instances:
    """Return the rows with the boxes, points and classes that are reported."""
    before = rows.codes if network.config.method.carried_motion else None
    logits, codes, refs = network.refine(rows.semantic, rows.motion, rows.ref_points, before)
    scores, labels = logits.sigmoid().max(-1)
    return rows.with_(ref_points=refs, codes=codes, scores=scores, labels=labels, logits=logits)


def reported_alone(network: CoopTrackNetwork, rows: Instances) -> Tensor:
    """Tell (N,) which rows after reasoning a cooperative network would report if no message had anything to say."""
    settings = network.config.tracker_cooperative
    alone, live = survive(refine(network, adapt(network, rows)), settings)
    enough = alone.scores >= settings.output_threshold
    return enough & live if network.config.method.report_only_live else enough
