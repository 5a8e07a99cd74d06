"""Reader of Griffin folders: frames of the car or the drone, or pairs of both, with poses, calibration and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...common.errors import UserError
from ...common.geometry import heading, transform_points
from ..camera_history import CameraHistory
from ..dataset import SIDES, CameraFrame, DataSet, FrameRecord, LeftOut, SensorFrame
from ..spd.labels import PUBLISHED, VELOCITY_LABELS, Label, LabelledFrame, boxes_of, with_velocities
from .files import CLASSES, ObjectLabel, label_of_type, read_camera, read_labels, read_pose
from .index import GriffinIndex

UNIT = 'drone'
EPOCH_US, PERIOD_US = 1_600_000_000_000_000, 100_000
"""Time of frame 0, which is none of the data: ROS has no time 0; and from a frame to the next."""
NEAR_M = 50.0
"""A frame counts if each side has an object that is no farther off in x and in y."""
SHORTEST_RUN = 10
"""Frames in a row that count at least."""
_SELF_M = 0.1
"""So near to the origin of the car, seen from above, is nothing but the car itself."""
_LEAST_VISIBLE = 1


@dataclass(frozen=True)
class _Seen:
    """An object of the union of both sides, in the car's frame, with what each side calls it."""

    label: ObjectLabel
    level: int
    from_side: str
    vehicle_id: int = -1
    drone_id: int = -1


class GriffinDataset:
    """
    A Griffin folder; files are read when records that need them are asked for, and kept.

    The drone is the infrastructure side. The lidar frame of both is their ego frame, to which labels and calibrations
    refer. A sequence is a run of frames of a scene that count; where a scene has several runs, the second one is called
    ``SCENE-run2`` and so on.
    """

    classes = CLASSES

    def __init__(self, root: str | Path, velocity_labels: str = PUBLISHED) -> None:
        """Open a folder; :param velocity_labels: see ``spd.reader.SpdDataset``."""
        if velocity_labels not in VELOCITY_LABELS:
            raise UserError(f"velocity_labels must be one of {', '.join(VELOCITY_LABELS)}, not '{velocity_labels}'")
        self.root = Path(root)
        self.options = {'velocity_labels': velocity_labels}
        self.units: dict[str, DataSet] = {UNIT: self}
        self.index = GriffinIndex(self.root)
        self._poses: dict[tuple[str, int], np.ndarray] = {}
        self._labels: dict[tuple[str, int], tuple[ObjectLabel, ...]] = {}
        self._repeated: list[str] = []
        self._histories: defaultdict[tuple[str, str], CameraHistory] = defaultdict(CameraHistory)
        self._cameras: dict[str, tuple[tuple[str, np.ndarray, np.ndarray], ...]] = {}

    def has_side(self, side: str) -> bool:
        """Tell whether the folder has the frames of a side or, for ``cooperative``, both sides."""
        return self.index.has_side(side)

    def partners(self, records: Sequence[FrameRecord]) -> dict[str, list[FrameRecord]]:
        """Return the cooperative records, which are pairs themselves, under the name of the drone."""
        return {UNIT: list(records)}

    @cached_property
    def split(self) -> Mapping[str, Sequence[str]]:
        """Sequences of each part: the runs of its scenes."""
        return {name: [run for scene in scenes for run in self._runs_of.get(scene, {})]
                for name, scenes in self.index.split.items()}

    def sequences(self, split: str | None = None) -> list[str]:
        """Return ids of sequences, all or those of train or val."""
        if split is not None and split not in self.split:
            raise UserError(f"unknown split '{split}'; known: {', '.join(self.split)}")
        return sorted(self._runs if split is None else self.split[split])

    def records(self, side: str, sequence: str | None = None, *, labels: bool = True) -> list[FrameRecord]:
        """
        Return records of one sequence, or of all, sorted by time.

        :param side: ``vehicle-side``, ``infrastructure-side``, which is the drone, or ``cooperative``.
        :param labels: False gives the same frames without objects.
        """
        if side not in SIDES:
            raise UserError(f"unknown side '{side}'; known: {', '.join(SIDES)}")
        if not self.has_side(side):
            raise UserError(f'{self.root} has no frames of {side}')
        if sequence is not None and sequence not in self._runs:
            raise UserError(f"{self.root} has no sequence '{sequence}'; it has {', '.join(self.sequences()) or 'none'}")
        wanted = self.sequences() if sequence is None else [sequence]
        records = [record for name in wanted for record in self._sequence_records(side, name, labels)]
        return sorted(records, key=lambda record: record.stamp_us)

    def training_records(self, side: str) -> list[FrameRecord]:
        """Return the records of the sequences in ``train``."""
        return sorted((r for name in self.sequences('train') for r in self.records(side, name)),
                      key=lambda r: r.stamp_us)

    def left_out(self) -> list[LeftOut]:
        """Return what is left out of the records that were asked for so far."""
        found = {**self.index.left_out, 'repeated identity': self._repeated}
        return [LeftOut(kind, len(all_of), str(all_of[0])) for kind, all_of in found.items() if all_of]

    @cached_property
    def _runs(self) -> dict[str, list[int]]:
        """Numbers of the frames of each sequence."""
        return {name: frames for runs in self._runs_of.values() for name, frames in runs.items()}

    @cached_property
    def _runs_of(self) -> dict[str, dict[str, list[int]]]:
        """The sequences of each scene."""
        found = {}
        for scene, frames in self.index.scenes.items():
            counted = np.array([number for number in frames if self._counts(number)], np.int64)
            runs = [run.tolist() for run in np.split(counted, np.flatnonzero(np.diff(counted) != 1) + 1)
                    if len(run) >= SHORTEST_RUN]
            found[scene] = {scene if i == 1 else f'{scene}-run{i}': run for i, run in enumerate(runs, 1)}
        return found

    def _counts(self, number: int) -> bool:
        """Tell whether each side has an object near to it; wrong labels are told when they are asked for."""
        try:
            return all(any(np.abs(label.centre[:2]).max() <= NEAR_M for label in self._read_labels(side, number))
                       for side in self.index.sides)
        except UserError:
            return True

    def _read_labels(self, side: str, number: int) -> tuple[ObjectLabel, ...]:
        key = side, number
        if key not in self._labels:
            self._labels[key] = read_labels(self.index.file(side, 'label', f'{number:06d}.txt'), self._repeated)
        return self._labels[key]

    def _pose(self, side: str, number: int) -> np.ndarray:
        key = side, number
        if key not in self._poses:
            self._poses[key] = read_pose(self.index.file(side, 'pose', f'{number:06d}.json'))
        return self._poses[key]

    def _car_from_drone(self, number: int) -> np.ndarray:
        return np.linalg.inv(self._pose('vehicle-side', number)) @ self._pose('infrastructure-side', number)

    def _sequence_records(self, side: str, sequence: str, labels: bool) -> list[FrameRecord]:
        """Return the records of one sequence; neighbours in it are neighbours in time."""
        is_pair, numbers = side == 'cooperative', self._runs[sequence]
        own = 'vehicle-side' if is_pair else side
        sensors = [self._sensor_frame(own, number, sequence) for number in numbers]
        rows = self._rows(sensors, [self._seen(side, number) if labels else [] for number in numbers])
        tokens = ['', *(sensor.token for sensor in sensors), '']
        pairs = [self._pair_fields(number, sequence) for number in numbers] if is_pair else [{}] * len(numbers)
        return [
            FrameRecord(
                **vars(sensor), side=side, classes=CLASSES, unit='' if side == 'vehicle-side' else UNIT, frame_index=i,
                previous=tokens[i], next=tokens[i + 2], labelled=labels, **_label_fields(rows[i]), **pairs[i])
            for i, sensor in enumerate(sensors)]

    def _seen(self, side: str, number: int) -> list[_Seen]:
        """Return the objects of a frame of a side, or of the union of both sides in the car's frame."""
        if side != 'cooperative':
            return [_Seen(label, label.level, '') for label in self._read_labels(side, number)]
        drone = {label.track_id: label for label in self._read_labels('infrastructure-side', number)}
        union = {label.track_id: _Seen(label, label.level, 'coop' if label.track_id in drone else 'veh', label.track_id,
                                       label.track_id if label.track_id in drone else -1)
                 for label in self._read_labels('vehicle-side', number)}
        car_from_drone = self._car_from_drone(number)
        for label in drone.values():
            moved = replace(label, centre=transform_points(car_from_drone, label.centre),
                            rotation=car_from_drone[:3, :3] @ label.rotation)
            union.setdefault(label.track_id, _Seen(moved, _LEAST_VISIBLE, 'inf', drone_id=label.track_id))
        return [seen for seen in union.values() if np.linalg.norm(seen.label.centre[:2]) > _SELF_M]

    def _rows(self, sensors: Sequence[SensorFrame], seen: Sequence[Sequence[_Seen]]) -> list[list[Label]]:
        """Return the objects of each frame of a sequence with their velocities; no hole is filled."""
        rows = [[_label(one, sensor.token) for one in own] for sensor, own in zip(sensors, seen, strict=True)]
        frames = [LabelledFrame(sensor.stamp_us, sensor.global_from_lidar, ()) for sensor in sensors]
        return with_velocities(frames, rows, self.options['velocity_labels'])

    def _pair_fields(self, number: int, sequence: str) -> dict[str, object]:
        return {'infra': self._sensor_frame('infrastructure-side', number, sequence), 'offset': np.zeros(2),
                'ego_from_infra': self._car_from_drone(number)}

    def _sensor_frame(self, side: str, number: int, sequence: str) -> SensorFrame:
        stamp_us, pose = EPOCH_US + number * PERIOD_US, self._pose(side, number)
        if side not in self._cameras:
            self._cameras[side] = tuple((name, *read_camera(self.index.file(side, 'calib', f'{name}.json')))
                                        for name in self.index.cameras(side))
        cameras = tuple(
            CameraFrame(name, self.index.image(side, name, number), stamp_us, intrinsic, cam_from_ego, np.zeros(5),
                        history=self._histories[side, name])
            for name, intrinsic, cam_from_ego in self._cameras[side])
        return SensorFrame(f'{number:06d}', sequence, stamp_us, cameras, np.eye(4), pose, pose)


def _label(seen: _Seen, token: str) -> Label:
    label = seen.label
    return Label(f'{token}/{label.track_id}', label.type_name, str(label.track_id), 4 - seen.level, label.centre,
                 label.size, heading(label.rotation), seen.from_side, seen.vehicle_id, seen.drone_id)


def _label_fields(labels: Sequence[Label]) -> dict[str, object]:
    return {
        'boxes': boxes_of(labels, label_of_type),
        'visibility': np.array([4 - label.occluded_state for label in labels], np.int64),
        'type_names': np.array([label.type_name for label in labels], object),
        'object_tokens': np.array([label.token for label in labels], object),
        'from_side': np.array([label.from_side for label in labels], object),
        'vehicle_track_id': np.array([label.vehicle_track_id for label in labels], np.int64),
        'infra_track_id': np.array([label.infra_track_id for label in labels], np.int64)}
