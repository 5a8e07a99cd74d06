"""Run a model over data without ROS and collect what is to be measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat, tee
from pathlib import Path
from typing import Any

import numpy as np

from ..core.ab3dmot import DAIR_PLUGIN, KalmanConfig, initial_state, step
from ..core.config import EXECUTIONS, ModelConfig
from ..core.duplicates import distinct
from ..core.geometry import transform_boxes
from ..core.late import LateConfig, LateTracker, fuse_boxes, message_stamps, roadside_boxes, without_host
from ..core.misalignment import MisalignmentEstimator
from ..core.types import Boxes, FrameOutput, InstanceSet, RoadsideMessage, Side
from ..data.spd import FrameRecord, SpdDataset
from ..data.units import UnitsDataset, partners_of
from ..model.preprocess import least_size
from ..model.store import ModelPackage
from .channel import Channel
from .exchange import ExchangeBuilder
from .links import Link, late_links, network_links
from .selection import Selection, token_prefix
from .studies import RememberingTracker, SeenInput, StudyStages, without_features

MODES = ('none', 'late', 'late_ab3dmot', 'late_ab3dmot_plugin', 'rule', 'cooperative', 'zeroed', 'cooperative_alone')
"""
``late_ab3dmot_plugin``: with the AB3DMOT setting of DAIR-V2X; ``rule``: cooperative weights, associated by distance;
``zeroed``: cooperative with received features set to 0;
``cooperative_alone``: the cooperative weights without any message.
"""
Transmit = Callable[[InstanceSet], tuple[InstanceSet, int]]
_VEHICLE_MODES = ('none', 'late', 'late_ab3dmot', 'late_ab3dmot_plugin')
BYTES_PER_BOX = 45
"""What late fusion needs of an instance: nine float32 of the box, score, label and id (baselines.md section 2)."""


@dataclass
class UnitStatistics:
    """What came from one unit: ``instances`` sent, and those of them that were ``fused`` into tracks by the network."""

    instances: int = 0
    fused: int = 0


@dataclass
class RunStatistics:
    """What a run cost."""

    frames: int = 0
    seconds: float = 0.0
    payload_bytes: int = 0
    serialized_bytes: int = 0
    instances: int = 0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    units: dict[str, UnitStatistics] = field(default_factory=dict)

    def add(self, output: FrameOutput, seconds: float) -> None:
        """Count one frame of the ego side."""
        self.frames += 1
        self.seconds += seconds
        for name, value in output.stage_seconds.items():
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + value
        for match in output.matches:
            self.of_unit(match.unit_id).fused += 1

    def of_unit(self, name: str) -> UnitStatistics:
        """Return what is counted of a unit."""
        return self.units.setdefault(name, UnitStatistics())


class Evaluation:
    """
    Runs one model package in several modes over the same data, with all roadside units that take part there.

    What does not depend on the mode (roadside outputs, and those of the vehicle that hears nobody) is computed once.
    """

    def __init__(self, datasets: Sequence[tuple[Path, SpdDataset | UnitsDataset]], package: ModelPackage,
                 selection: Selection | None = None, transmit: Transmit | None = None,
                 channel: Channel | None = None, roadside: ModelPackage | None = None, corrects_poses: bool = False,
                 keeps_maps: bool = False, execution: str = EXECUTIONS[0]):
        """
        Take data and model.

        :param roadside: model of the units; default: the same package.
        :param corrects_poses: the network modes correct the poses of units by what they learn of them.
        :param selection: frames that count; default: split val.
        :param channel: what happens to messages; default: nothing.
        :param keeps_maps: remember the vehicle's maps of the cooperative network (mini: 0.6 MB a frame), so that
            runs of ``under`` take a fraction of the time; times are then those of the rest only.
        :param transmit: what an instance set becomes on its way and the bytes of the real message, if that can be told.
        :param execution: of all networks, see ``core.execution.make_tracker``.
        """
        self._datasets, self._package, self._roadside = datasets, package, roadside or package
        self._corrects_poses, self._execution = corrects_poses, execution
        self._selection = selection or Selection()
        self._transmit = transmit or (lambda instances: (instances, 0))
        self._channel = channel or Channel()
        self._known: dict[tuple[Side, Path, str], list[tuple[FrameOutput, float]]] = {}
        self._known_bev: dict[Path, dict[tuple[str, int], SeenInput]] | None = {} if keeps_maps else None

    def under(self, channel: Channel, corrects_poses: bool, **behaviour: Any) -> Evaluation:
        """Return the same with another link and other switches; what depends on neither is shared."""
        other = copy(self)
        other._channel, other._corrects_poses = channel, corrects_poses
        other._package = self._package.with_behaviour(**behaviour)
        return other

    @property
    def num_pairs(self) -> int:
        """Frames of one run."""
        return sum(len(self._selection.records(d)) for _, d in self._datasets)

    def run(self, mode: str, advance: Callable[[int], None] = lambda n: None) -> tuple[dict[str, Any], RunStatistics]:
        """
        Return the exchange result of a mode and its cost.

        :param advance: called with the number of frames done.
        :raises ValueError: for an unknown mode.
        """
        if mode not in MODES:
            raise ValueError(f"unknown mode '{mode}'; known: {', '.join(MODES)}")
        builder, statistics = ExchangeBuilder(f'{self._package.name} {mode}'), RunStatistics()
        side = Side.VEHICLE if mode in _VEHICLE_MODES else Side.COOPERATIVE
        limit = self._package.config.tracker_of(side).output_threshold
        for folder, dataset in self._datasets:
            sequence = None
            for record, messages, output, seconds in self._frames(mode, folder, dataset):
                if record.sequence != sequence:
                    sequence, merge = record.sequence, _Merger(mode, self._package.config.behaviour.roadside_lifetime_s)
                started = time.perf_counter()
                tracks, detections, links = merge(output, messages, record)
                statistics.add(output, seconds + time.perf_counter() - started)
                self._count(statistics, messages, mode)
                builder.add(record, token_prefix(folder, self._datasets), tracks, detections, links, limit)
                advance(1)
        return builder.finish(), statistics

    def run_side(self, side: Side, advance: Callable[[int], None] = lambda n: None) -> tuple[dict, RunStatistics]:
        """Return the result of one side alone against its own labels."""
        name = 'vehicle-side' if side is Side.VEHICLE else 'infrastructure-side'
        config: ModelConfig = self._package.config
        builder = ExchangeBuilder(f'{self._package.name} {side.value}', class_range=config.range_of(side).class_range)
        statistics = RunStatistics()
        for folder, dataset in self._datasets:
            records = self._selection.records(dataset, name)
            for record, (output, seconds) in zip(records, self._network(side, folder, records), strict=True):
                statistics.add(output, seconds)
                builder.add(record, token_prefix(folder, self._datasets), output.tracks, output.detections)
                advance(1)
        return builder.finish(), statistics

    def _frames(self, mode: str, folder: Path, dataset: SpdDataset | UnitsDataset) -> Iterator[tuple]:
        """Yield record, messages, output of the ego network and its seconds, frame by frame."""
        records = self._selection.records(dataset)
        listens = mode not in ('none', 'cooperative_alone')
        # Consumers in step: the network of this frame and the loop below.
        heard, shown = tee(self._messages(folder, dataset, records) if listens else repeat((), len(records)))
        if mode in _VEHICLE_MODES:
            outputs = self._alone(Side.VEHICLE, folder, records)
        else:
            if mode == 'zeroed':
                heard = ([without_features(m) for m in messages] for messages in heard)
            outputs = self._network(Side.COOPERATIVE, folder, records, heard,
                                    association='rule' if mode == 'rule' else None)
        # Strict, so that every generator runs to its end and what it keeps is complete.
        for record, messages, (output, seconds) in zip(records, shown, outputs, strict=True):
            yield record, messages, output, seconds

    def _network(self, side: Side, folder: Path, records: list[FrameRecord], heard: Iterable | None = None,
                 image: str = 'vehicle', association: str | None = None) -> Iterator[tuple[FrameOutput, float]]:
        """Yield output and seconds of a network over records of a data set; every sequence starts afresh."""
        package = self._roadside if side is Side.ROADSIDE else self._package
        tracker = package.with_behaviour(association=association).tracker(side, execution=self._execution)
        known: dict[tuple[str, int], SeenInput] = {}
        if side is Side.COOPERATIVE:
            if package.config.behaviour.compensation == 'flow':
                # That of the units, whose model may be another.
                tracker.stages.flow = self._roadside.flow()
            if self._known_bev is not None or self._channel.noise_scope != 'everywhere':
                StudyStages.put_into(tracker)
            if self._known_bev is not None:
                known = self._known_bev.setdefault(folder, {})
                tracker = RememberingTracker(tracker, known)
        sequence = None
        for record, messages in zip(records, heard or repeat((), len(records)), strict=True):
            if record.sequence != sequence:
                state, sequence, poses = tracker.initial(), record.sequence, MisalignmentEstimator()
            if (record.sequence, record.stamp_us * 1000) in known:
                frame = record.frame_without_image()
            else:
                frame = record.frame(image, least_size(package.config))
            started = time.perf_counter()
            placed = poses.correct(messages) if self._corrects_poses else messages
            state, output = tracker.step(state, frame, placed)
            if self._corrects_poses:
                poses.update(messages, output.stamp_ns, partial(tracker.look, state), corrects_poses=True)
            yield output, time.perf_counter() - started

    def _alone(self, side: Side, folder: Path, records: list[FrameRecord],
               unit: str = '') -> Iterator[tuple[FrameOutput, float]]:
        """Yield what a network that hears nobody says of pairs; computed once per data set and unit."""
        if (side, folder, unit) in self._known:
            yield from self._known[side, folder, unit]
            return
        outputs = []
        image = 'infrastructure' if side is Side.ROADSIDE else 'vehicle'
        for result in self._network(side, folder, records, image=image):
            outputs.append(result)
            yield result
        self._known[side, folder, unit] = outputs

    def _messages(self, folder: Path, dataset: SpdDataset | UnitsDataset,
                  records: list[FrameRecord]) -> Iterator[list[RoadsideMessage]]:
        """Yield what arrives of all units in each frame."""
        partners = partners_of(dataset, records)
        links = [self._channel.deliver(folder.name if len(partners) == 1 else f'{folder.name}/{unit}',
                                       self._sent(unit, folder, pairs)) for unit, pairs in partners.items()]
        for arrived in zip(*links, strict=True):
            yield [message for messages in arrived for message in messages]

    def _sent(self, unit: str, folder: Path, pairs: list[FrameRecord]) -> Iterator[tuple[str, RoadsideMessage]]:
        """Yield sequence and message of a unit for each pair."""
        for record, (out, _) in zip(pairs, self._alone(Side.ROADSIDE, folder, pairs, unit), strict=True):
            yield record.sequence, RoadsideMessage(
                unit, out.stamp_ns, self._transmit(out.instances)[0], record.ego_from_infra)

    def _count(self, statistics: RunStatistics, messages: Sequence[RoadsideMessage], mode: str) -> None:
        for message in messages:
            width = message.instances.semantic.shape[1]
            each = BYTES_PER_BOX if mode.startswith('late') else 4 * (3 * width + 3)
            statistics.payload_bytes += each * len(message.instances)
            statistics.instances += len(message.instances)
            statistics.of_unit(message.unit_id).instances += len(message.instances)
            statistics.serialized_bytes += self._transmit(message.instances)[1]


class _Merger:
    """Adds roadside boxes to the ego output after the network, in the modes that fuse late."""

    def __init__(self, mode: str, roadside_lifetime_s: float):
        self._mode, self._config = mode, LateConfig(lifetime_s=roadside_lifetime_s)
        self._late = LateTracker(self._config)
        self._late_state = self._late.initial()
        self._kalman = DAIR_PLUGIN if mode == 'late_ab3dmot_plugin' else KalmanConfig()
        self._kalman_state, self._stamp_ns = initial_state(self._kalman), None

    def __call__(self, output: FrameOutput, messages: Sequence[RoadsideMessage],
                 record: FrameRecord) -> tuple[Boxes, Boxes, tuple[Link, ...] | None]:
        """Return tracks, detections and links of the frame; None for links: identities are not those of the vehicle."""
        if not self._mode.startswith('late'):
            return output.tracks, output.detections, network_links(output, messages)
        kept = np.concatenate([np.zeros(0, bool), *distinct(messages)])
        infra, infra_ns = roadside_boxes(messages, output.stamp_ns)[kept], message_stamps(messages)[kept]
        others = without_host(infra)
        detections, _, _ = fuse_boxes(output.detections, others, self._config)
        if self._mode == 'late':
            self._late_state, tracks = self._late.step(
                self._late_state, output.tracks, infra, infra_ns, record.global_from_lidar, output.stamp_ns)
            return tracks, detections, late_links(output.tracks, others, self._config.min_gate_m)
        boxes, _, _ = fuse_boxes(output.tracks, others, self._config)
        elapsed = None if self._stamp_ns is None else (output.stamp_ns - self._stamp_ns) / 1e9
        self._stamp_ns = output.stamp_ns
        self._kalman_state, tracks = step(
            self._kalman_state, transform_boxes(record.global_from_lidar, boxes), self._kalman, elapsed)
        return transform_boxes(np.linalg.inv(record.global_from_lidar), tracks), detections, None
