"""The worked example of docs/add_a_data_set.md: a reader for a made-up layout, ``meadow.json`` beside its images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.reading import read_json
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.camera_history import CameraHistory
from cooptrack_ros.data.dataset import SIDES, SINGLE_UNIT, CameraFrame, FrameRecord, LeftOut, SensorFrame

INDEX = 'meadow.json'
AGENT_OF_SIDE = {'vehicle-side': 'car', 'infrastructure-side': 'pole', 'cooperative': 'car'}


def is_meadow(folder: Path) -> bool:
    """Tell whether a folder is of this format."""
    return (folder / INDEX).is_file()


class MeadowDataset:
    """A folder with ``meadow.json``; frame i of the car and frame i of the pole are a pair."""

    def __init__(self, root: Path, chosen: Sequence[str] | None = None, velocity_labels: str = 'published') -> None:
        """Read the index; :param chosen: and :param velocity_labels: are those of ``open_dataset``."""
        self.root = Path(root)
        self._content = read_json(self.root / INDEX)
        self.classes = tuple(self._content['classes'])
        self.split = self._content['split']
        self.options: dict[str, str] = {}
        self.units = {SINGLE_UNIT: self}
        self._histories = {name: CameraHistory() for name in self._content['cameras']}

    def has_side(self, side: str) -> bool:
        """Tell whether there are frames of a side; pairs need both."""
        return all(agent in self._content['frames'] for agent in ([AGENT_OF_SIDE[side]] if side != 'cooperative'
                                                                  else AGENT_OF_SIDE.values()))

    def sequences(self, split: str | None = None) -> list[str]:
        """Return the sequences that are there, all or of a part."""
        if split is not None and split not in self.split:
            raise UserError(f"{self.root} has no split '{split}'; it has {', '.join(self.split)}")
        present = {frame['sequence'] for frames in self._content['frames'].values() for frame in frames}
        return sorted(s for s in present if split is None or s in self.split[split])

    def records(self, side: str, sequence: str | None = None, *, labels: bool = True) -> list[FrameRecord]:
        """Return records of a side, sorted by time."""
        if side not in SIDES:
            raise UserError(f"unknown side '{side}'; known: {', '.join(SIDES)}")
        if sequence is not None and sequence not in self.sequences():
            raise UserError(f"{self.root} has no sequence '{sequence}'; it has {', '.join(self.sequences())}")
        records = []
        for name in self.sequences() if sequence is None else [sequence]:
            records += self._of_sequence(side, name, labels)
        return sorted(records, key=lambda record: record.stamp_us)

    def training_records(self, side: str) -> list[FrameRecord]:
        """Return all: every frame has labels."""
        return self.records(side)

    def partners(self, records: Sequence[FrameRecord]) -> dict[str, list[FrameRecord]]:
        """Return the pairs, which have their partners, under the name of the only unit."""
        return {SINGLE_UNIT: list(records)}

    def left_out(self) -> list[LeftOut]:
        """Nothing is left out: what is wrong is an error, or in the records."""
        return []

    def _of_sequence(self, side: str, sequence: str, labels: bool) -> list[FrameRecord]:
        own = self._frames(AGENT_OF_SIDE[side], sequence)
        poles = self._frames('pole', sequence) if side == 'cooperative' else []
        tokens = ['', *(frame['id'] for frame in own), '']
        records = []
        for i, frame in enumerate(own):
            objects = frame['objects'] if labels else []
            sensor, count = self._sensor(frame), len(objects)
            pair: dict[str, Any] = {}
            if side == 'cooperative':
                pole = self._sensor(poles[i])
                pair = {'infra': pole, 'offset': np.zeros(2), 'ego_from_infra':
                        np.linalg.inv(sensor.global_from_lidar) @ pole.global_from_lidar}
            records.append(FrameRecord(
                **vars(sensor), side=side, classes=self.classes, unit='' if side == 'vehicle-side' else SINGLE_UNIT,
                frame_index=i, previous=tokens[i], next=tokens[i + 2], labelled=labels, boxes=self._boxes(objects),
                visibility=np.full(count, 4), type_names=np.array([o[0] for o in objects], object),
                object_tokens=np.array([f"{frame['id']}/{o[1]}" for o in objects], object),
                from_side=np.full(count, 'coop' if pair else '', object),
                vehicle_track_id=np.full(count, -1), infra_track_id=np.full(count, -1), **pair))
        return records

    def _frames(self, agent: str, sequence: str) -> list[dict[str, Any]]:
        return [frame for frame in self._content['frames'][agent] if frame['sequence'] == sequence]

    def _sensor(self, frame: dict[str, Any]) -> SensorFrame:
        x, y, yaw = frame['pose']
        pose = make_pose(rotation_z(yaw), np.array([x, y, 0.0]))
        cameras = tuple(self._camera(name, file, frame) for name, file in frame['images'].items())
        return SensorFrame(frame['id'], frame['sequence'], frame['time_us'], cameras, np.eye(4), pose, pose)

    def _camera(self, name: str, file: str, frame: dict[str, Any]) -> CameraFrame:
        stored = self._content['cameras'][name]
        try:
            matrix = np.array(stored['matrix'], np.float64).reshape(3, 3)
            pose = np.array(stored['cam_from_lidar'], np.float64).reshape(4, 4)
        except (KeyError, ValueError) as error:
            raise UserError(f"{self.root / INDEX}: the calibration of camera '{name}' cannot be read: {error}"
                            ) from error
        return CameraFrame(name, self.root / file, frame['time_us'], matrix, pose, np.zeros(5),
                           history=self._histories[name])

    def _boxes(self, objects: list[list[Any]]) -> Boxes:
        """Return boxes of rows: class, identity, x, y, z of the centre, length, width, height, yaw."""
        unknown = {o[0] for o in objects} - set(self.classes)
        if unknown:
            raise UserError(f"{self.root / INDEX}: unknown class {unknown.pop()!r}; known: {', '.join(self.classes)}")
        numbers = np.array([o[2:9] for o in objects], np.float64).reshape(-1, 7)
        return Boxes(numbers[:, :3], numbers[:, 3:6], numbers[:, 6], np.zeros((len(objects), 2)),
                     np.array([self.classes.index(o[0]) for o in objects], np.int64), np.ones(len(objects)),
                     np.array([o[1] for o in objects], np.int64))
