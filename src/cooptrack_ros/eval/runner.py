"""Run a model over data without ROS and collect what is to be measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby, repeat
from pathlib import Path
from typing import Any

import numpy as np

from ..common.config import EXECUTIONS, LATE_RULE, ModelConfig
from ..common.errors import UserError
from ..common.types import Frame, FrameOutput, InstanceSet, Provenance, RoadsideMessage, Sensors, Side
from ..cooperation.late_fusion import roadside_boxes
from ..data.dataset import DataSet, FrameRecord, OpenedData
from ..data.rate import frame_rate_hz
from ..model.image.preprocess import least_size
from ..tracking.ego_agent import EgoResult, Tracker
from ..tracking.map_stages import MapTracker
from ..tracking.tracker import AgentTracker, TrackerState
from ..tracking.uncertainty import StatedTracks
from ..weights.bev_fusion_file import has_bev_fusion, load_bev_fusion
from ..weights.store import ModelPackage
from .channel import Channel
from .ego import BEV_MODES, MODES, KnownFrame, KnownOutputs, listens, make_agent, received_in, side_of
from .exchange import ExchangeBuilder
from .links import links_of
from .maps_on_the_air import MapMessage, MapsOnTheAir, SendCells
from .selection import Selection, token_prefix
from .studies import RememberingTracker, SeenInput, StudyStages

Transmit = Callable[[InstanceSet], tuple[InstanceSet, int]]
BYTES_PER_BOX = 45
"""What late fusion needs of an instance: nine float32 of the box, score, label and id (method.md 17.1)."""


def rate_of(records: Sequence[FrameRecord]) -> float:
    """Return the usual number of frames a second of records that lie sequence by sequence."""
    return frame_rate_hz([r.stamp_us for r in group] for _, group in groupby(records, lambda r: r.sequence))


def payload_of(message: RoadsideMessage) -> int:
    """Return the bytes of the features and places of a message in float32 (method.md 17.1)."""
    return 4 * (3 * message.instances.semantic.shape[1] + 3) * len(message.instances)


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

    What does not depend on the mode (roadside outputs, and those of the vehicle without messages) is computed once.
    """

    def __init__(self, datasets: OpenedData, package: ModelPackage,
                 selection: Selection | None = None, transmit: Transmit | None = None,
                 channel: Channel | None = None, roadside: ModelPackage | None = None, online_extrinsics: bool = False,
                 caches_bev: bool = False, execution: str = EXECUTIONS[0], bev_budget: int | None = None,
                 send_cells: SendCells = lambda cells: (cells, 0), late_rule: str = LATE_RULE.default,
                 sensors: Sensors = Sensors.CAMERA, unit_sensors: Sensors | None = None):
        """
        Take data and model.

        :param roadside: model of the units; default: the same package.
        :param online_extrinsics: the network modes calibrate the extrinsics of units online.
        :param selection: frames that count; default: split val.
        :param channel: what happens to messages; default: nothing.
        :param caches_bev: keep the vehicle's BEV features of the cooperative network (mini: 0.6 MB a frame), so that
            runs of ``under`` take a fraction of the time; times are then those of the rest only.
        :param transmit: what an instance set becomes on its way and the bytes of the real message, if that is known.
        :param execution: of all networks, see ``tracking.execution.make_tracker``.
        :param bev_budget: bytes of a message of BEV features, see ``MapsOnTheAir``; :param send_cells: what they become
            on their way.
        :param late_rule: of mode ``late``, see ``LATE_RULE``.
        :param sensors: of the vehicle; :param unit_sensors: of the units, None: the same.
        """
        self._sensors = {side: sensors for side in Side} | {Side.ROADSIDE: unit_sensors or sensors}
        self._datasets, self._package, self._roadside = datasets, package, roadside or package
        self._bev_budget, self._send_cells = bev_budget, send_cells
        self._online_extrinsics, self._execution, self._late_rule = online_extrinsics, execution, late_rule
        self._selection = selection or Selection()
        self._transmit = transmit or (lambda instances: (instances, 0))
        self._channel = channel or Channel()
        self._known: dict[tuple[Side, Path, str], list[tuple[FrameOutput, float]]] = {}
        self._known_bev: dict[Path, dict[tuple[str, int], SeenInput]] | None = {} if caches_bev else None
        self._known_fusion: dict[Path, list[tuple[list[MapMessage], FrameOutput, float]]] = {}

    def under(self, channel: Channel, online_extrinsics: bool, **method: Any) -> Evaluation:
        """Return the same with another link and other switches; what depends on neither is shared."""
        other = copy(self)
        other._channel, other._online_extrinsics = channel, online_extrinsics
        other._package, other._known_fusion = self._package.with_method(**method), {}
        return other

    def with_late_rule(self, rule: str) -> Evaluation:
        """Return the same with another rule of late fusion; what the networks say is shared."""
        other = copy(self)
        other._late_rule = rule
        return other

    def _check_clouds(self, sides: Iterable[Side], folder: Path, dataset: DataSet) -> None:
        """Raise a UserError if point clouds are asked for of an agent that has none in all its frames."""
        names = {Side.VEHICLE: 'vehicle-side', Side.ROADSIDE: 'infrastructure-side', Side.COOPERATIVE: 'cooperative'}
        for side in sides:
            parts = dataset.units.values() if side is Side.ROADSIDE else [dataset]
            if self._sensors[side].has_lidar and all(r.point_cloud is None for part in parts
                                                     for r in self._selection.records(part, names[side])):
                raise UserError(f'{folder} has no point clouds of the {side.value} side, which the sensors '
                                f'{self._sensors[side].value} need (`cooptrack synth --lidar` writes some)')

    @property
    def modes(self) -> tuple[str, ...]:
        """Those that the model has the weights for."""
        fuses = has_bev_fusion(self._package, self._roadside)
        return tuple(mode for mode in MODES if fuses or mode not in BEV_MODES)

    @property
    def num_pairs(self) -> int:
        """Frames of one run."""
        return sum(len(self._selection.records(d)) for _, d in self._datasets)

    def run(self, mode: str, advance: Callable[[int], None] = lambda n: None,
            with_agents: bool = False) -> tuple[dict[str, Any], RunStatistics]:
        """
        Return the exchange result of a mode and its cost.

        :param advance: called with the number of frames done.
        :param with_agents: the result also has ``agents``: what the vehicle alone and the units alone find.
        :raises ValueError: for an unknown mode.
        """
        if mode not in MODES:
            raise ValueError(f"unknown mode '{mode}'; known: {', '.join(MODES)}")
        class_range = self._package.config.class_range_of(Side.VEHICLE)
        builder, statistics = ExchangeBuilder(f'{self._package.name} {mode}', class_range), RunStatistics()
        for folder, dataset in self._datasets:
            self._check_clouds({side_of(mode), *([Side.ROADSIDE] if listens(mode) else [])}, folder, dataset)
            for record, messages, result, seconds in self._driven(mode, folder, dataset):
                statistics.add(result.output, seconds)
                self._count(statistics, messages, mode)
                builder.add(record, token_prefix(folder, self._datasets), result.tracks, result.detections,
                            links_of(result, messages), result.provenance, result.age_s, result.uncertainty,
                            result.mode == 'none')
                advance(1)
            if with_agents:
                self._add_agents(builder, mode, folder, dataset)
        return builder.finish(), statistics

    def _add_agents(self, builder: ExchangeBuilder, mode: str, folder: Path, dataset: DataSet) -> None:
        """Add what the vehicle alone reports and what units send, at their true poses and times, without a link."""
        records = self._selection.records(dataset)
        partners = dataset.partners(records) if listens(mode) else {}
        sent = {unit: [out for out, _ in self._alone(Side.ROADSIDE, folder, pairs, unit)]
                for unit, pairs in partners.items()}
        for i, (record, _, result, _) in enumerate(self._driven('none', folder, dataset)):
            messages = [RoadsideMessage(unit, outs[i].stamp_ns, outs[i].instances, partners[unit][i].ego_from_infra)
                        for unit, outs in sent.items()]
            found = {'ego': result.tracks, 'roadside': roadside_boxes(messages, result.output.stamp_ns)}
            builder.add_agents(record, token_prefix(folder, self._datasets), found)

    def run_side(self, side: Side, advance: Callable[[int], None] = lambda n: None) -> tuple[dict, RunStatistics]:
        """Return the result of one side alone against its own labels."""
        name = 'vehicle-side' if side is Side.VEHICLE else 'infrastructure-side'
        config: ModelConfig = self._package.config
        builder = ExchangeBuilder(f'{self._package.name} {side.value}', config.class_range_of(side))
        statistics, stated_by = RunStatistics(), self._package.uncertainty()
        for folder, dataset in self._datasets:
            self._check_clouds([side], folder, dataset)
            records, sequence = self._selection.records(dataset, name), None
            for record, (_, output, seconds) in zip(records, self._network(side, records), strict=True):
                if record.sequence != sequence:
                    sequence, stated = record.sequence, StatedTracks(stated_by, side)
                statistics.add(output, seconds)
                tracks = output.tracks
                source = np.full(len(tracks), Provenance.ROADSIDE if side is Side.ROADSIDE else Provenance.EGO)
                said = stated.of(tracks, source, output.live, output.stamp_ns, record.ego_from_lidar)
                prefix = token_prefix(folder, self._datasets)
                builder.add(record, prefix, tracks, output.detections, None, source, *said)
                advance(1)
        return builder.finish(), statistics

    def _driven(self, mode: str, folder: Path, dataset: DataSet) -> Iterator[
            tuple[FrameRecord, Sequence[RoadsideMessage], EgoResult, float]]:
        """Yield what arrives in each frame, the vehicle's result, and its seconds; every sequence starts afresh."""
        records = self._selection.records(dataset)
        rate_hz = rate_of(records)
        corrects = self._online_extrinsics and side_of(mode) is Side.COOPERATIVE
        if mode in BEV_MODES:
            tracker, steps = KnownOutputs(), self._map_frames(folder, dataset, records)
        else:
            arrived = self.arrivals(folder, dataset, records) if listens(mode) else repeat((), len(records))
            if side_of(mode) is Side.VEHICLE:
                tracker, frames = KnownOutputs(), self._known_frames(folder, records)
            else:
                tracker, frames = self._cooperative(mode, folder, records)
            steps = zip(arrived, frames, strict=True)
        sequence, uncertainty = None, self._package.uncertainty()
        # Strict, so that every generator runs to its end and what it keeps is complete.
        for record, (messages, (frame, seconds)) in zip(records, steps, strict=True):
            if record.sequence != sequence:
                sequence = record.sequence
                agent = make_agent(mode, tracker, self._package.config.at_rate(rate_hz), uncertainty, self._late_rule,
                                   rate_hz)
            received = received_in(mode, messages)
            started = time.perf_counter()
            result = agent.step(frame, received, corrects)
            if corrects:
                agent.learn_poses()
            yield record, messages, result, seconds + time.perf_counter() - started

    def _known_frames(self, folder: Path, records: list[FrameRecord]) -> Iterator[tuple[Frame, float]]:
        """Yield frames with what the vehicle's own network says of them, and the seconds that it took."""
        for record, (output, seconds) in zip(records, self._alone(Side.VEHICLE, folder, records), strict=True):
            yield KnownFrame(**vars(record.frame_without_image()), output=output), seconds

    def _cooperative(self, mode: str, folder: Path,
                     records: list[FrameRecord]) -> tuple[Tracker, Iterator[tuple[Frame, float]]]:
        """Return the cooperative network, the frames that it needs, and 0 s for each: none was spent on it before."""
        package = self._package.with_method(association='distance' if mode == 'distance_association' else None)
        sensors, known = self._sensors[Side.COOPERATIVE], {}
        tracker = self._tracker(package, Side.COOPERATIVE, records)
        if package.config.method.compensation == 'flow':
            # That of the units, whose model may be another.
            tracker.stages.flow = self._roadside.flow()
        if self._known_bev is not None or self._channel.noise_scope != 'everywhere':
            StudyStages.put_into(tracker)
        if self._known_bev is not None:
            known = self._known_bev.setdefault(folder, {})
            tracker = RememberingTracker(tracker, known)
        return tracker, ((record.frame_without_image() if (record.sequence, record.stamp_us * 1000) in known
                          else record.frame('vehicle', least_size(package.config), sensors), 0.0)
                         for record in records)

    def _tracker(self, package: ModelPackage, side: Side, records: list[FrameRecord]) -> AgentTracker:
        """Return a tracker whose lives and gaps are those of the rate of the records."""
        return package.at_rate(rate_of(records)).tracker(side, execution=self._execution,
                                                        takes_clouds=self._sensors[side].has_lidar)

    def _network(self, side: Side, records: list[FrameRecord],
                 image: str = 'vehicle') -> Iterator[tuple[TrackerState, FrameOutput, float]]:
        """Yield state, output and seconds of a network that receives nothing; every sequence starts afresh."""
        package = self._roadside if side is Side.ROADSIDE else self._package
        tracker, sensors, sequence = self._tracker(package, side, records), self._sensors[side], None
        for record in records:
            if record.sequence != sequence:
                state, sequence = tracker.initial(), record.sequence
            frame = record.frame(image, least_size(package.config), sensors)
            started = time.perf_counter()
            state, output = tracker.step(state, frame)
            yield state, output, time.perf_counter() - started

    def _alone(self, side: Side, folder: Path, records: list[FrameRecord],
               unit: str = '') -> Iterator[tuple[FrameOutput, float]]:
        """Yield what a network that receives nothing says of pairs; computed once per data set and unit."""
        if (side, folder, unit) in self._known:
            yield from self._known[side, folder, unit]
            return
        outputs = []
        for _, *result in self._network(side, records, 'infrastructure' if side is Side.ROADSIDE else 'vehicle'):
            outputs.append(tuple(result))
            yield outputs[-1]
        self._known[side, folder, unit] = outputs

    def _map_frames(self, folder: Path, dataset: DataSet, records: list[FrameRecord]) -> Iterator[
            tuple[list[MapMessage], tuple[KnownFrame, float]]]:
        """Yield what arrives of units' BEV features, and what the vehicle's network says with them and the seconds."""
        found, kept = self._known_fusion.get(folder) or self._fused(folder, dataset, records), []
        for record, result in zip(records, found, strict=True):
            kept.append(result)
            messages, output, seconds = result
            yield messages, (KnownFrame(**vars(record.frame_without_image()), output=output), seconds)
        self._known_fusion[folder] = kept

    def _fused(self, folder: Path, dataset: DataSet,
               records: list[FrameRecord]) -> Iterator[tuple[list[MapMessage], FrameOutput, float]]:
        """Yield what arrives, and output and seconds of the vehicle's network with it."""
        link = self._channel
        air = MapsOnTheAir(self._bev_budget, self._send_cells,
                           1 + (link.latency_ms + link.jitter_ms + link.max_age_ms) / 1e3)

        def sent(unit: str, pairs: list[FrameRecord]) -> Iterator[tuple[str, RoadsideMessage]]:
            frames = self._network(Side.ROADSIDE, pairs, 'infrastructure')
            return air.send(unit, self._roadside.config, pairs, ((state, output) for state, output, _ in frames))
        tracker = MapTracker(self._tracker(self._package, Side.VEHICLE, records),
                             load_bev_fusion(self._package, self._roadside))
        sequence = None
        for record, arrived in zip(records, self._links(folder, dataset, records, sent), strict=True):
            if record.sequence != sequence:
                state, sequence = tracker.initial(), record.sequence
            frame = record.frame('vehicle', least_size(self._package.config), self._sensors[Side.VEHICLE])
            received = list(map(air.receive, arrived))
            started = time.perf_counter()
            state, output = tracker.step(state, frame, [cells for _, cells in received])
            yield [message for message, _ in received], output, time.perf_counter() - started

    def arrivals(self, folder: Path, dataset: DataSet,
                 records: list[FrameRecord]) -> Iterator[list[RoadsideMessage]]:
        """Yield what arrives of all units in each frame."""
        return self._links(folder, dataset, records, lambda unit, pairs: self._sent(unit, folder, pairs))

    def _links(self, folder: Path, dataset: DataSet, records: list[FrameRecord],
               sent: Callable[[str, list[FrameRecord]], Iterator[tuple[str, RoadsideMessage]]]) -> Iterator[
                   list[RoadsideMessage]]:
        """Yield what arrives in each frame; :param sent: gives sequence and message of a unit for each pair."""
        partners = dataset.partners(records)
        links = [self._channel.deliver(folder.name if len(partners) == 1 else f'{folder.name}/{unit}',
                                       sent(unit, pairs), 1 / rate_of(records),
                                       [pair.infra.global_from_lidar for pair in pairs])
                 for unit, pairs in partners.items()]
        for arrived in zip(*links, strict=True):
            yield [message for messages in arrived for message in messages]

    def _sent(self, unit: str, folder: Path, pairs: list[FrameRecord]) -> Iterator[tuple[str, RoadsideMessage]]:
        """Yield sequence and message of a unit for each pair."""
        for record, (out, _) in zip(pairs, self._alone(Side.ROADSIDE, folder, pairs, unit), strict=True):
            yield record.sequence, RoadsideMessage(
                unit, out.stamp_ns, self._transmit(out.instances)[0], record.ego_from_infra)

    def _count(self, statistics: RunStatistics, messages: Sequence[RoadsideMessage], mode: str) -> None:
        for message in messages:
            if isinstance(message, MapMessage):
                statistics.payload_bytes += message.payload_bytes
                statistics.serialized_bytes += message.serialized_bytes
                continue
            late = mode.startswith('late')
            statistics.payload_bytes += BYTES_PER_BOX * len(message.instances) if late else payload_of(message)
            statistics.instances += len(message.instances)
            statistics.of_unit(message.unit_id).instances += len(message.instances)
            statistics.serialized_bytes += self._transmit(message.instances)[1]
