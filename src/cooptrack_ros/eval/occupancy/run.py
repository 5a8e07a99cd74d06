"""An occupancy head over data sets, measured against labels of voxels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...common.config import ModelConfig
from ...common.errors import UserError
from ...common.types import Boxes, Frame, Match, RoadsideMessage
from ...cooperation.limits import Limits
from ...cooperation.voxels.fill import UnitVoxels
from ...data.dataset import DataSet, FrameRecord, OpenedData
from ...model.image.preprocess import least_size
from ...occupancy.grids import GRIDS, Grid
from ...occupancy.label_file import VoxelLabels, read_voxels
from ...occupancy.score import OccupancyScore
from ...occupancy.segments import Volume
from ...occupancy.taxonomy import Taxonomy
from ...occupancy.volume_files import VolumeWriter
from ...tracking.own_things import ThingTracker
from ...tracking.panoptic import PanopticFrame, PanopticReader
from ...tracking.tracker import AgentTracker
from ..selection import Selection, token_prefix
from .arms import FoundFrame, arms_of
from .sight import seen_by_units
from .units import UnitHeads, packed_bytes

MASKS = {
    'camera': 'what the camera sees',
    'known': 'all that is known',
    'hidden_from_ego': 'what is known and the camera does not see',
    'unit_only': 'what of that the camera of a roadside unit sees',
}
"""Which voxels are measured, by name."""
Arrivals = Callable[[Path, DataSet, list[FrameRecord]], Iterable[Sequence[RoadsideMessage]]]
"""Gives what arrives in each of some frames of a data set."""


class Step(NamedTuple):
    """Voxels; where a box tracker runs also its live tracks with classes of voxels, and who of units is who."""

    panoptic: PanopticFrame
    boxes: Boxes | None = None
    matches: tuple[Match, ...] = ()


class Source(Protocol):
    """A head that runs frame by frame."""

    queries: str
    profile: str
    grid: Grid
    config: ModelConfig

    def start(self) -> None:
        """Forget everything: a sequence begins."""

    def step(self, frame: Frame, messages: Sequence[RoadsideMessage]) -> Step:
        """Return what is found in a frame."""


class TrackedSource:
    """A head whose things are the live tracks of a tracker."""

    queries = 'tracker'

    def __init__(self, tracker: AgentTracker, reader: PanopticReader):
        """Take both."""
        self._tracker, self._reader, self.config = tracker, reader, tracker.config
        self.profile, self.grid = reader.head.sizes.profile, reader.grid
        classes = reader.head.taxonomy.classes
        self._classes = np.array([classes.index(name) if name in classes else -1 for name in self.config.class_names])
        self.start()

    def start(self) -> None:
        """Forget everything."""
        self._state = self._tracker.initial()

    def step(self, frame: Frame, messages: Sequence[RoadsideMessage]) -> Step:
        """Return the voxels of a frame, and the live tracks whose class voxels can have."""
        self._state, output = self._tracker.step(self._state, frame, messages)
        boxes = output.tracks[output.live]
        boxes = boxes.with_(label=self._classes[boxes.label])
        return Step(self._reader.read(self._state), boxes[boxes.label >= 0], output.matches)


class OwnSource:
    """A head that follows things of its own."""

    queries = 'own'

    def __init__(self, tracker: ThingTracker, config: ModelConfig):
        """Take it."""
        self._tracker, self.config = tracker, config
        self.profile, self.grid = tracker.head.sizes.profile, tracker.grid
        self.start()

    def start(self) -> None:
        """Forget everything."""
        self._state = self._tracker.initial()

    def step(self, frame: Frame, messages: Sequence[RoadsideMessage]) -> Step:
        """Return the voxels of a frame; nothing is received."""
        self._state, found = self._tracker.step(self._state, frame)
        return Step(found)


@dataclass
class Measured:
    """Counters of a run, by arm and mask."""

    taxonomy: Taxonomy
    arms: Sequence[str]
    frames: int = 0
    sequences: set[str] = field(default_factory=set)
    seconds: float = 0.0
    occupied: int = 0
    voxels: int = 0
    voxel_bytes: int = 0
    """Of the voxels of units."""

    def __post_init__(self) -> None:
        """Start with no frame."""
        self._labels = hashlib.sha256()
        self.scores = {arm: {mask: OccupancyScore(self.taxonomy) for mask in MASKS} for arm in self.arms}

    def add(self, sequence: str, labels: VoxelLabels, volumes: dict[str, Volume],
            by_units: np.ndarray | None = None) -> None:
        """
        Count a frame.

        :param volumes: by arm, the first is the one whose occupied voxels are counted.
        :param by_units: (X, Y, Z) bool, what units see; None: nobody knows.
        """
        truth, masks = Volume(labels.semantics, labels.instances), masks_of(labels, by_units)
        for array in (labels.semantics, labels.instances, labels.mask_lidar, labels.mask_camera):
            self._labels.update(np.ascontiguousarray(array))
        for arm, volume in volumes.items():
            for name, mask in masks.items():
                self.scores[arm][name].add(sequence, truth, volume, mask)
        first = next(iter(volumes.values())).semantics
        self.occupied, self.voxels = self.occupied + int((first != self.taxonomy.free).sum()), self.voxels + first.size
        self.frames += 1
        self.sequences.add(sequence)

    @property
    def label_hash(self) -> str:
        """SHA-256 of the labels that were measured against."""
        return self._labels.hexdigest()

    def results(self) -> dict[str, dict[str, Any]]:
        """Return the figures by arm and mask, see ``OccupancyScore.result``."""
        return {arm: {mask: score.result() for mask, score in scores.items()} for arm, scores in self.scores.items()}


def masks_of(labels: VoxelLabels, by_units: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return which voxels are measured by the names of ``MASKS``; :param by_units: what units see, if that is known."""
    known, seen = labels.mask_lidar != 0, labels.mask_camera != 0
    hidden = known & ~seen
    shared = {} if by_units is None else {'unit_only': hidden & by_units}
    return {'camera': seen, 'known': known, 'hidden_from_ego': hidden} | shared


def measure(source: Source, datasets: OpenedData, selection: Selection, side: str = 'cooperative',
            arrivals: Arrivals | None = None, advance: Callable[[int], None] = lambda n: None,
            keep: VolumeWriter | None = None, units: UnitHeads | None = None,
            only: Collection[str] = ()) -> Measured:
    """
    Run a head over data.

    :param side: whose records, see ``data.dataset.SIDES``. :param arrivals: None: nothing is received.
    :param keep: gets what the head says of every frame. :param units: what finds voxels on their side.
    :param only: names of arms; without, all of them.
    :raises UserError: for a frame without labels of the grid, or with labels of another size.
    """
    profile = GRIDS[source.profile]
    arms = arms_of(source.queries, None if units is None else Limits.of(source.config))
    arms = {name: make for name, make in arms.items() if not only or name in only}
    measured, sequence = Measured(profile.taxonomy, list(arms)), None
    for folder, dataset in datasets:
        records = selection.records(dataset, side)
        arrived = repeat((), len(records)) if arrivals is None else arrivals(folder, dataset, records)
        sent = {} if units is None else units.voxels(dataset, records)
        sight = seen_by_units(dataset, records, profile) if side == 'cooperative' else repeat(None, len(records))
        for record, messages, by_units in zip(records, arrived, sight, strict=True):
            name = token_prefix(folder, datasets) + record.sequence
            if name != sequence:
                sequence = name
                source.start()
                running = {arm: make(profile, source.grid) for arm, make in arms.items()}
            labels = labels_of(record, source.profile)
            frame = replace(record.frame(least=least_size(source.config)), sequence=name)
            started = time.perf_counter()
            step = source.step(frame, messages)
            measured.seconds += time.perf_counter() - started
            known = [UnitVoxels(m, m.stamp_ns, sent[m.unit_id, m.stamp_ns]) for m in messages
                     if (m.unit_id, m.stamp_ns) in sent]
            measured.voxel_bytes += sum(packed_bytes(unit.voxels, source.grid.shape) for unit in known)
            sizes = [image.shape[1::-1] for image in frame.images]
            found = FoundFrame(step.panoptic, step.boxes, record.global_from_lidar, frame.stamp_ns,
                               list(zip(frame.img_from_lidar, sizes, strict=True)), step.matches, known)
            measured.add(name, labels, {arm: each.volume(found) for arm, each in running.items()}, by_units)
            if keep is not None:
                keep.add(name, record.token, step.panoptic.volume)
            advance(1)
    return measured


def labels_of(record: FrameRecord, profile: str) -> VoxelLabels:
    """Return the labels of the voxels of a frame; raise a UserError that says how to make those that are missing."""
    if profile not in record.occupancy:
        raise UserError(f'frame {record.token} of sequence {record.sequence} has no labels of voxels of the grid '
                        f'{profile}: `cooptrack occupancy labels --grid {profile}` makes them')
    path = record.occupancy[profile]
    labels = read_voxels(path)
    if labels.semantics.shape != GRIDS[profile].vehicle.shape:
        raise UserError(f'{path}: expected {GRIDS[profile].vehicle.shape} voxels, not {labels.semantics.shape}')
    return labels

