"""One agent's tracker: a pure step from state and frame to state and output (method.md 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.ego_motion import can_bus
from ..common.method_config import TrackerConfig
from ..common.timeline import StampedPose, continues
from ..common.types import EgoOnlyDetections, Frame, FrameOutput, InstanceSet, Match, RoadsideMessage, Side
from ..cooperation.association_memory import AssociationMemory
from ..cooperation.feature_flow import FeatureFlow
from ..model.fast.int8 import Ranges
from ..model.fast.network import FastNetwork
from ..model.fast.quantized import Int8Network
from ..model.image.preprocess import prepare_image
from ..model.image.view import network_views
from ..model.instances.boxes import denormalize
from ..model.lidar.branch import LidarBranch
from ..model.network import CoopTrackNetwork
from .frame_records import Past, TrackerInput
from .frame_stages import FrameStages, decode
from .fusion import Fusion, RowSources, StageObserver
from .lifecycle import Instances, assign_ids, survive
from .postprocess import message_of, report
from .sight import LiveTracks, Sight
from .stage_clock import StageClock

QueryOrder = Callable[[int, int], Tensor]
"""(number of queries, step) -> permutation; says which learned queries join live tracks (method.md Q9)."""


@dataclass(frozen=True)
class TrackerState:
    """Everything that a tracker carries from frame to frame; a value."""

    stamped_pose: StampedPose | None
    tracks: Instances
    bev: Tensor | None
    """(1, cells, C), what the decoder read."""
    next_id: int
    step: int
    """Frames since the start of the tracker; seeds the choice of queries."""
    sight: Sight = Sight()
    """What live tracks stand on; on the cooperative side only."""
    memory: AssociationMemory = AssociationMemory()
    """Which objects of units live tracks were; there only, too."""
    features: Tensor | None = None
    """(1, V, C, h, w) of the images of the last frame; None where BEV features were known before."""
    img_from_lidar: np.ndarray | None = None
    """(V, 4, 4) to pixels of its network input."""
    remembered_bev: Tensor | None = None
    """(1, cells, C), what the encoder of the next frame starts from, see ``DecodedFrame.remembered``."""


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
                 execution: str = 'reference', ranges: Ranges | None = None, lidar: LidarBranch | None = None):
        """
        Prepare a tracker.

        :param query_order: replaces the choice of the configuration (``method.query_fill``).
        :param flow: how features of the units' model go on, used with ``method.compensation`` of that name.
        :param execution: ``fast``, ``int8``, or ``reference`` for the network as it is written; later changes of the
            weights reach the reference only.
        :param ranges: of the activations, for ``int8``.
        :param lidar: takes point clouds; with it a frame may come without images, and without a cloud.
        """
        network = network.to(device).eval()
        arrangements = {'reference': lambda n: n, 'fast': FastNetwork, 'int8': lambda n: Int8Network(n, ranges)}
        self.network = arrangements[execution](network)
        self.config, self.side, self.device = config, side, torch.device(device)
        branch = None if lidar is None else lidar.to(device).eval()
        self.stages = FrameStages(self.network, config, side, self.device, flow, branch)
        orders = {'random': seeded_order, 'first_n': first_order}
        self._query_order = query_order or orders[config.method.query_fill]

    def initial(self) -> TrackerState:
        """Return the state before the first frame."""
        return TrackerState(None, self.stages.learned_queries()[:0], None, 1, 0)

    def prepare(self, frame: Frame) -> TrackerInput:
        """
        Return the network input of a frame.

        :raises ValueError: without images (unless there is a point cloud branch), with unusable ones, or if their
            number differs from the projections'.
        """
        if len(frame.images) != len(frame.img_from_lidar) or not (frame.images or self.stages.lidar):
            raise ValueError(f'a frame needs one projection per image and at least one of both, not '
                             f'{len(frame.images)} images and {len(frame.img_from_lidar)} projections')
        seen, projections = network_views(frame, self.config, self.side)
        images = self._images(seen) if seen else torch.zeros(0)
        stamped_pose = StampedPose(frame.sequence, frame.stamp_ns, frame.global_from_lidar,
                                   can_bus(frame.global_from_ego))
        cloud = None if frame.cloud is None or self.stages.lidar is None else torch.from_numpy(frame.cloud)
        return TrackerInput(stamped_pose, images, projections, cloud)

    def _images(self, images: Sequence[np.ndarray]) -> Tensor:
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
                observe: StageObserver = lambda name, value: None,
                clock: StageClock | None = None) -> tuple[TrackerState, FrameOutput]:
        """
        Process one prepared frame, see ``step``: the stages of a frame, then the life cycle of tracks.

        :param observe: is shown intermediate results by name.
        """
        self._check(messages)
        clock = clock or StageClock(self.device)
        now = inputs.stamped_pose
        reset = not continues(now, state.stamped_pose, self._settings.reset_gap_s)
        if reset:
            state = TrackerState(None, state.tracks[:0], None, self._first_id(state, now), state.step)
        past = None if reset else Past(state.stamped_pose, state.tracks, state.remembered_bev, state.memory)
        order = partial(self._query_order, self.config.num_queries, state.step)
        frame = self.stages.step(past, inputs, messages, order, observe, clock.mark)

        rows, next_id = assign_ids(frame.rows, state.next_id, self._settings.score_threshold)
        rows, live = survive(rows, self._settings)
        fusion, received = frame.fusion, [r.message for r in frame.seen.received]
        sight = Sight()
        if self.side is Side.COOPERATIVE:
            sight = self._sight(state.sight, now, fusion.sources, rows, live, received, frame.seen.bev)
            live = live & torch.isin(rows.ids, rows.ids.new_tensor(list(sight.evidence)))
        observe('final', rows)
        clock.mark('sight')
        output = self._output(now, rows, live, message_of(rows, live, fusion.sources.own_points), reset)
        output = with_sources(output, fusion, rows, live, received, sight)
        clock.mark('output')
        output.stage_seconds.update(clock.seconds)
        memory = self._remembered(state.memory, output, messages)
        return TrackerState(now, rows[live], frame.seen.bev, next_id, state.step + 1, sight, memory,
                            frame.seen.features, inputs.img_from_lidar, frame.seen.remembered), output

    def _check(self, messages: Sequence[RoadsideMessage]) -> None:
        if messages and self.side is not Side.COOPERATIVE:
            raise ValueError(f'the {self.side.value} side takes no messages, got {len(messages)}')

    @torch.inference_mode()
    def look(self, state: TrackerState) -> EgoOnlyDetections:
        """
        Return what the agent detects in the BEV features of its last frame when it knows of no track.

        Nothing that was received has a part in it. Costs a pass through the decoder.
        """
        if state.sight.view is not None:
            return state.sight.view
        bev = self._map_of(state)
        return EgoOnlyDetections(np.zeros((0, 3)), np.zeros(0)) if bev is None else self._look(bev)

    def _look(self, bev: Tensor) -> EgoOnlyDetections:
        """Return what is detected in BEV features (1, cells, C) without knowing of a track."""
        rows, decoded = decode(self.network, self.stages.learned_queries(), bev, lambda name, value: None)
        points = denormalize(rows.ref_points, self.config.range_of(self.side).pc_range)
        scores = decoded.logits[-1, 0].sigmoid().amax(-1)
        return EgoOnlyDetections(points.double().cpu().numpy(), scores.double().cpu().numpy())

    def _map_of(self, state: TrackerState) -> Tensor | None:
        return state.bev

    def _sight(self, sight: Sight, now: StampedPose, sources: RowSources, rows: Instances, live: Tensor,
               messages: list[RoadsideMessage], bev: Tensor) -> Sight:
        """Return what live tracks stand on after a frame, without those that have outlived it or have no room."""
        places, pc_range = torch.nonzero(live).flatten(), self.config.range_of(self.side).pc_range
        points = denormalize(rows.ref_points[places], pc_range)[:, :2].double().cpu().numpy()
        ids, units = rows.ids[places].tolist(), sources.unit[places].tolist()
        spoken = {track: (messages[unit].unit_id, messages[unit].stamp_ns, messages[unit].may_create)
                  for track, unit in zip(ids, units, strict=True) if unit >= 0}
        tracks = LiveTracks(ids, points, rows.scores[places].cpu().numpy(), sources.decoder_scores[places].tolist(),
                            spoken)
        sight = sight.after(tracks, now.stamp_ns, partial(self._look, bev), self._settings.output_threshold)
        return sight.within(self.stages.limits, tracks, now.stamp_ns, self.config.method.roadside_lifetime_s)

    @property
    def _settings(self) -> TrackerConfig:
        return self.config.tracker_of(self.side)

    def _remembered(self, memory: AssociationMemory, output: FrameOutput,
                    messages: Sequence[RoadsideMessage]) -> AssociationMemory:
        """Return what is remembered after a frame."""
        remembers = self.config.method.association_memory
        return memory.after(output.matches, messages, output.stamp_ns) if remembers else memory

    def _first_id(self, state: TrackerState, now: StampedPose) -> int:
        gap = state.stamped_pose is not None and state.stamped_pose.sequence == now.sequence
        return state.next_id if gap and self.config.method.keep_ids_after_gap else 1

    def _output(self, now: StampedPose, rows: Instances, live: Tensor, instances: InstanceSet,
                reset: bool) -> FrameOutput:
        kept = live if self.config.method.report_only_live else torch.ones_like(live)
        tracks, reported = report(rows, self.config, self.side, kept & (rows.scores >= self._settings.output_threshold))
        detections, _ = report(rows, self.config, self.side, torch.ones_like(live))
        return FrameOutput(now.stamp_ns, tracks, live[reported].cpu().numpy(), detections, instances, reset=reset)


def with_sources(output: FrameOutput, fusion: Fusion, rows: Instances, live: Tensor, messages: list[RoadsideMessage],
                 sight: Sight) -> FrameOutput:
    """Return a report with the fusions of live tracks, those that stand on messages alone, and what was left out."""
    sources, now_ns = fusion.sources, output.stamp_ns
    chosen = torch.nonzero(live & (sources.unit >= 0)).flatten()
    matches = []
    for track, unit, index, affinity in zip(*(x[chosen].tolist() for x in (
            rows.ids, sources.unit, sources.index, sources.affinity)), strict=True):
        infra_id = int(messages[unit].instances.boxes.track_id[index])
        matches.append(Match(track, messages[unit].unit_id, index, infra_id, affinity, sight.own_score(track, now_ns)))
    left_out = Counter(fusion.left_out) + Counter(sight.left_out)
    return replace(output, matches=tuple(matches), unseen=sight.unseen(now_ns), left_out=left_out)
