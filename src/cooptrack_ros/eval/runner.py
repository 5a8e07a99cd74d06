"""Run a model over data without ROS and collect what is to be measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.ab3dmot import KalmanConfig, initial_state, step
from ..core.config import ModelConfig
from ..core.geometry import transform_boxes
from ..core.late import LateConfig, LateTracker, fuse_boxes, without_host
from ..core.types import Boxes, FrameOutput, InstanceSet, RoadsideMessage, Side
from ..data.spd import FrameRecord, SpdDataset
from ..model.store import ModelPackage
from .exchange import ExchangeBuilder

MODES = ('none', 'late', 'late_ab3dmot', 'cooperative', 'zeroed', 'cooperative_alone')
"""``zeroed``: cooperative with received features set to 0; ``cooperative_alone``: without any message."""
FLOATS_PER_BOX = 11
"""What late fusion needs of an instance: nine box numbers, score, label and id (the last two count as one)."""


@dataclass
class RunStatistics:
    """What a run cost."""

    frames: int = 0
    seconds: float = 0.0
    payload_bytes: int = 0
    serialized_bytes: int = 0
    instances: int = 0
    stage_seconds: dict[str, float] = field(default_factory=dict)

    def add(self, output: FrameOutput, seconds: float) -> None:
        """Count one frame of the ego side."""
        self.frames += 1
        self.seconds += seconds
        for name, value in output.stage_seconds.items():
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + value


class Evaluation:
    """Runs one model package in several modes over the same data; roadside outputs are computed once."""

    def __init__(self, datasets: Sequence[tuple[Path, SpdDataset]], package: ModelPackage, limit: int | None = None,
                 serialized_size: Callable[[InstanceSet], int] | None = None):
        """
        Take data and model.

        :param limit: at most so many pairs per data set.
        :param serialized_size: bytes of the real message for an instance set, if that can be told.
        """
        self._datasets, self._package, self._limit = datasets, package, limit
        self._serialized_size = serialized_size
        self._sent: dict[tuple[Path, str], FrameOutput] = {}
        self._prefixed = len(datasets) > 1

    @property
    def num_pairs(self) -> int:
        """Frames of one run."""
        return sum(len(self._records(d)) for _, d in self._datasets)

    def _records(self, dataset: SpdDataset) -> list[FrameRecord]:
        return dataset.records('cooperative')[:self._limit]

    def run(self, mode: str, advance: Callable[[int], None] = lambda n: None) -> tuple[dict[str, Any], RunStatistics]:
        """
        Return the exchange result of a mode and its cost.

        :param advance: called with the number of frames done.
        :raises ValueError: for an unknown mode.
        """
        if mode not in MODES:
            raise ValueError(f"unknown mode '{mode}'; known: {', '.join(MODES)}")
        builder, statistics = ExchangeBuilder(f'{self._package.name} {mode}'), RunStatistics()
        side = Side.VEHICLE if mode in ('none', 'late', 'late_ab3dmot') else Side.COOPERATIVE
        tracker = self._package.tracker(side)
        listens = mode not in ('none', 'cooperative_alone')
        for folder, dataset in self._datasets:
            if listens:
                self._send(folder, dataset)
            merge = _Merger(mode)
            state, sequence = tracker.initial(), None
            for record in self._records(dataset):
                if record.sequence != sequence:
                    state, sequence, merge = tracker.initial(), record.sequence, _Merger(mode)
                messages = [self._message(folder, record)] if listens else []
                frame = record.frame()
                started = time.perf_counter()
                state, output = tracker.step(
                    state, frame, messages if side is Side.COOPERATIVE else (), zero_features=mode == 'zeroed')
                tracks, detections = merge(output, messages, record)
                statistics.add(output, time.perf_counter() - started)
                self._count(statistics, messages, mode)
                builder.add(record, f'{folder.name}/' if self._prefixed else '', tracks, detections)
                advance(1)
        return builder.finish(), statistics

    def run_side(self, side: Side, advance: Callable[[int], None] = lambda n: None) -> tuple[dict, RunStatistics]:
        """Return the result of one side alone against its own labels."""
        name = 'vehicle-side' if side is Side.VEHICLE else 'infrastructure-side'
        config: ModelConfig = self._package.config
        builder = ExchangeBuilder(f'{self._package.name} {side.value}', class_range=config.range_of(side).class_range)
        statistics, tracker = RunStatistics(), self._package.tracker(side)
        for folder, dataset in self._datasets:
            state = tracker.initial()
            for record in dataset.records(name)[:self._limit]:
                frame = record.frame()
                started = time.perf_counter()
                state, output = tracker.step(state, frame)
                statistics.add(output, time.perf_counter() - started)
                builder.add(record, f'{folder.name}/' if self._prefixed else '', output.tracks, output.detections)
                advance(1)
        return builder.finish(), statistics

    def _send(self, folder: Path, dataset: SpdDataset) -> None:
        records = self._records(dataset)
        if (folder, records[-1].token) in self._sent:
            return
        tracker = self._package.tracker(Side.ROADSIDE)
        state, sequence = tracker.initial(), None
        for record in records:
            if record.sequence != sequence:
                state, sequence = tracker.initial(), record.sequence
            state, self._sent[folder, record.token] = tracker.step(state, record.frame('infrastructure'))

    def _message(self, folder: Path, record: FrameRecord) -> RoadsideMessage:
        sent = self._sent[folder, record.token]
        return RoadsideMessage('rsu_1', sent.stamp_ns, sent.instances, record.ego_from_infra)

    def _count(self, statistics: RunStatistics, messages: Sequence[RoadsideMessage], mode: str) -> None:
        for message in messages:
            width = message.instances.semantic.shape[1]
            floats = FLOATS_PER_BOX if mode.startswith('late') else 3 * width + 3
            statistics.payload_bytes += 4 * floats * len(message.instances)
            statistics.instances += len(message.instances)
            if self._serialized_size:
                statistics.serialized_bytes += self._serialized_size(message.instances)


class _Merger:
    """Adds roadside boxes to the ego output after the network, in the modes that fuse late."""

    def __init__(self, mode: str):
        self._mode, self._config = mode, LateConfig()
        self._late = LateTracker(self._config)
        self._late_state = self._late.initial()
        self._kalman = KalmanConfig()
        self._kalman_state, self._stamp_ns = initial_state(self._kalman), None

    def __call__(self, output: FrameOutput, messages: Sequence[RoadsideMessage],
                 record: FrameRecord) -> tuple[Boxes, Boxes]:
        """Return tracks and detections of the frame."""
        if not self._mode.startswith('late'):
            return output.tracks, output.detections
        infra = Boxes.concatenate([transform_boxes(m.ego_from_infra, m.instances.boxes) for m in messages])
        detections, _, _ = fuse_boxes(output.detections, without_host(infra, self._config), self._config)
        if self._mode == 'late':
            self._late_state, tracks = self._late.step(
                self._late_state, output.tracks, infra, record.global_from_lidar, output.stamp_ns)
            return tracks, detections
        boxes, _, _ = fuse_boxes(output.tracks, without_host(infra, self._config), self._config)
        elapsed = None if self._stamp_ns is None else (output.stamp_ns - self._stamp_ns) / 1e9
        self._stamp_ns = output.stamp_ns
        self._kalman_state, tracks = step(
            self._kalman_state, transform_boxes(record.global_from_lidar, boxes), self._kalman, elapsed)
        return transform_boxes(np.linalg.inv(record.global_from_lidar), tracks), detections
