"""A tracker whose frame is one function of fixed shapes, on a GPU one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...common.config import ModelConfig
from ...common.timeline import StampedPose, continues
from ...common.types import Frame, FrameOutput, RoadsideMessage, Side
from ...cooperation.association_memory import AssociationMemory
from ...cooperation.feature_flow import FeatureFlow
from ...model.bev.geometry import BevGeometry, bev_geometry
from ...model.fast.images import ImageScaler
from ...model.fast.network import FastNetwork
from ...model.network import CoopTrackNetwork
from ..frame_records import TrackerInput
from ..frame_stages import FrameStages
from ..fusion import Fusion, RowSources, own_rows, with_memory
from ..lifecycle import NO_ID, Instances
from ..postprocess import message_of
from ..sight import Sight
from ..stage_clock import StageClock
from ..tracker import AgentTracker, QueryOrder, with_sources
from .cooperative import CooperativeStep, Layout, Perceived, Slots
from .graph import Graphed
from .inputs import rows_to_take, step_input
from .messages import arrange, fill_slots, place
from .step import FrameStep, StepInput, StepResult, StepState, state_of
from .transfer import to_device, to_host

SLOTS = 64
"""Instances of one unit that there is room for."""
_REPORTED = ('codes', 'scores', 'labels', 'ids', 'live', 'ref_points', 'position_points', 'previous_centre',
             'previous_age', 'next_id')


@dataclass(frozen=True)
class StepTrackerState:
    """Everything that a ``StepTracker`` carries from frame to frame; a value."""

    stamped_pose: StampedPose | None
    device: StepState | None
    """On the device; None before the first frame."""
    live: Tensor
    """(n,) int64 on the CPU: rows of ``device`` that are live tracks."""
    next_id: int
    step: int
    sight: Sight = Sight()
    memory: AssociationMemory = AssociationMemory()
    """These two as in ``tracking.tracker.TrackerState``."""
    ids: Tensor = torch.zeros(0, dtype=torch.int64)
    """(N,) int64 on the CPU, of the rows of ``device``."""


class _Program:
    """The parts of a frame for one calibration, as functions or as CUDA graphs."""

    def __init__(self, step: FrameStep, geometry: BevGeometry, scaler: ImageScaler | None, records: bool):
        self.step, self.geometry, self._scaler, self.records = step, geometry, scaler, records
        self._cooperative = CooperativeStep(step)
        self._parts: dict[tuple[str, int], object] = {}

    def alone(self, state: StepState, inputs: StepInput) -> StepResult:
        return self._part('alone', 0, lambda s, i: self.step(s, self._seen(i), self.geometry))(state, inputs)

    def first(self, state: StepState, inputs: StepInput, slots: Slots) -> Perceived:
        return self._part('first', len(slots.poses), lambda s, i, m: self._cooperative.first(
            s, self._seen(i), m, self.geometry))(state, inputs, slots)

    def second(self, perceived: Perceived, slots: Slots, layout: Layout, next_id: Tensor) -> StepResult:
        return self._part('second', len(slots.poses), self._cooperative.second)(perceived, slots, layout, next_id)

    def _seen(self, inputs: StepInput) -> StepInput:
        return inputs if self._scaler is None else inputs._replace(images=self._scaler(inputs.images))

    def _part(self, name: str, units: int, function):
        """Return a part for a number of units; graphs have fixed shapes."""
        if (name, units) not in self._parts:
            self._parts[name, units] = Graphed(function) if self.records else function
        return self._parts[name, units]


class _Outcome(NamedTuple):
    result: StepResult
    fusion: Fusion | None
    messages: list[RoadsideMessage]


class StepTracker(AgentTracker):
    """
    Takes the place of ``AgentTracker`` where a device should run a frame without the host in between.

    On a GPU the host waits for the affinities (cooperative side only), for the result, and for the features of live
    tracks. Frames of a new size, calibration or number of units are recorded first, which takes seconds.
    """

    def __init__(self, network: CoopTrackNetwork, config: ModelConfig, side: Side, device: str = 'cpu',
                 query_order: QueryOrder | None = None, flow: FeatureFlow | None = None, fixed: bool | None = None):
        """
        Prepare a tracker; see ``AgentTracker`` for what is not said here.

        :param fixed: see ``FastNetwork``.
        :raises ValueError: for a configuration that fuses before the decoder, which only ``AgentTracker`` knows.
        """
        if config.method.fusion_stage != 'after_decoder':
            raise ValueError('steps of fixed shapes fuse after the decoder only')
        super().__init__(network, config, side, device, query_order, flow)
        self.network = FastNetwork(self.network, fixed=fixed)
        self.stages = FrameStages(self.network, config, side, self.device, flow)
        self._program: tuple[tuple, _Program] | None = None

    def initial(self) -> StepTrackerState:
        """Return the state before the first frame."""
        return StepTrackerState(None, None, torch.zeros(0, dtype=torch.int64), 1, 0)

    def _images(self, images: Sequence[np.ndarray]) -> Tensor:
        """Return images (V, H, W, 3) uint8 as they are for a GPU, which scales them itself if it can."""
        rows, columns = self.config.input_size
        scales = self.device.type != 'cpu' and len({image.shape for image in images}) == 1 and all(
            image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
            and image.shape[0] >= rows and image.shape[1] >= columns for image in images)
        return torch.from_numpy(np.stack(images)) if scales else super()._images(images)

    def step(self, state: StepTrackerState, frame: Frame, messages: Sequence[RoadsideMessage] = ()
             ) -> tuple[StepTrackerState, FrameOutput]:
        """Process one frame; ``state`` stays valid. See ``AgentTracker.step``."""
        clock = StageClock(torch.device('cpu'))
        inputs = self.prepare(frame)
        clock.mark('preprocess')
        return self.advance(state, inputs, messages, clock)

    @torch.inference_mode()
    def advance(self, state: StepTrackerState, inputs: TrackerInput, messages: Sequence[RoadsideMessage] = (),
                clock: StageClock | None = None) -> tuple[StepTrackerState, FrameOutput]:
        """
        Process one prepared frame, see ``step``.

        :raises ValueError: for messages to another side.
        """
        self._check(messages)
        clock = clock or StageClock(torch.device('cpu'))
        now = inputs.stamped_pose
        reset = not continues(now, state.stamped_pose, self._settings.reset_gap_s)
        if reset:
            state = StepTrackerState(None, state.device, state.live[:0], self._first_id(state, now), state.step)
        outcome = self._run(state, inputs, messages, clock)
        rows, live, position_points, next_id = self._read(outcome.result)
        clock.mark('step')

        fusion, sight = outcome.fusion, Sight()
        if fusion is not None:
            sight = self._sight(state.sight, now, fusion.sources, rows, live, outcome.messages, outcome.result.bev)
            live = live & torch.isin(rows.ids, torch.tensor(list(sight.evidence), dtype=torch.int64))
        clock.mark('sight')
        places = torch.nonzero(live).flatten()
        kept = self._with_features(rows[places], outcome.result, places)
        instances = message_of(kept, torch.arange(len(places)), position_points[places])
        output = self._output(now, rows, live, instances, reset)
        if fusion is not None:
            output = with_sources(output, fusion, rows, live, outcome.messages, sight)
        clock.mark('output')
        output.stage_seconds.update(clock.seconds)
        memory = self._remembered(state.memory, output, messages)
        return StepTrackerState(now, state_of(outcome.result), places, next_id, state.step + 1, sight, memory,
                                rows.ids), output

    def _map_of(self, state: StepTrackerState) -> Tensor | None:
        return None if state.device is None else state.device.bev

    def _run(self, state: StepTrackerState, inputs: TrackerInput, messages: Sequence[RoadsideMessage],
             clock: StageClock) -> _Outcome:
        """Run the frame on the device."""
        config, count = self.config, self.config.num_queries
        program = self._program_for(inputs)
        take = rows_to_take(count, state.live, self._query_order(count, state.step))
        frame = to_device(step_input(config, self.side, inputs.images, inputs.stamped_pose, state.stamped_pose, take,
                                     state.next_id), self.device)
        device_state = state.device or program.step.initial()
        if self.side is not Side.COOPERATIVE:
            return _Outcome(program.alone(device_state, frame), None, [])
        started = self.stages.clock()
        now_ns = inputs.stamped_pose.stamp_ns
        received = with_memory(place(self.network, self.stages.current(messages, now_ns), SLOTS), state.memory,
                               config.method, now_ns)
        placed = self.stages.clock()
        slots = to_device(fill_slots(received, SLOTS, config.embed_dims, len(config.class_names)), self.device)
        perceived = program.first(device_state, frame, slots)
        points, scores, reported, logits = to_host([
            perceived.ref_points, perceived.decoder_scores, perceived.reported, perceived.logits])
        clock.mark('perception')
        rows = Instances.new(points, points[:, :0], points[:, :0], 0, 0)
        rows = rows.with_(ids=torch.cat([torch.full((count,), NO_ID), state.ids])[take])
        protected = own_rows(rows, scores, self._settings.output_threshold)
        # What the device does meanwhile is no fusion.
        until = self.stages.clock() + self.stages.limits.seconds - (placed - started)
        fusion, layout = arrange(config, received, SLOTS, Fusion(rows, RowSources.start(
            points, scores, protected, reported)), logits, lambda: self.stages.clock() <= until)
        clock.mark('association')
        result = program.second(perceived, slots, to_device(layout, self.device), frame.next_id)
        return _Outcome(result, fusion, [r.message for r in received])

    def _program_for(self, inputs: TrackerInput) -> _Program:
        key = (inputs.img_from_lidar.tobytes(), inputs.images.shape, inputs.images.dtype)
        if self._program is None or self._program[0] != key:
            geometry = bev_geometry(self.config, self.side, inputs.img_from_lidar)
            scaler = None
            if inputs.images.dtype == torch.uint8:
                scaler = ImageScaler(tuple(inputs.images.shape[1:3]), self.config).to(self.device)
            self._program = key, _Program(FrameStep(self.network), geometry, scaler, records=self.device.type == 'cuda')
        return self._program[1]

    def _read(self, result: StepResult) -> tuple[Instances, Tensor, Tensor, int]:
        """Return the rows on the CPU without features, which live on, what embeddings stand for, the next identity."""
        read = dict(zip(_REPORTED, to_host([getattr(result, name) for name in _REPORTED]), strict=True))
        blank = read['ref_points'].new_zeros(len(read['ids']), 0)
        rows = Instances.new(read['ref_points'], blank, blank, 0, 0).with_(
            **{n: read[n] for n in ('codes', 'scores', 'labels', 'ids', 'previous_centre', 'previous_age')})
        return rows, read['live'], read['position_points'], int(read['next_id'][0])

    def _with_features(self, rows: Instances, result: StepResult, places: Tensor) -> Instances:
        """Return live rows with their features."""
        chosen = to_device(places, self.device)
        names = ('semantic', 'motion', 'embedding')
        features = to_host([getattr(result, name).index_select(0, chosen) for name in names])
        return rows.with_(**dict(zip(names, features, strict=True)))
