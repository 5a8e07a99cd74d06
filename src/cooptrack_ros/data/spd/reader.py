"""Reader of V2X-Seq-SPD folders: frames of one side or cooperative pairs with poses, calibration and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ...common.errors import UserError
from ...common.types import Side
from ...occupancy.label_file import label_files
from ...sensors.point_clouds import INTENSITY_SCALE
from ..camera_history import CameraHistory
from ..dataset import SIDES, SINGLE_UNIT, CameraFrame, DataSet, FrameRecord, LeftOut, SensorFrame
from ..point_clouds import PcdFile
from .calibration import ego_from_infra, orthonormal, read_intrinsic, read_pose, read_rigid_pose
from .index import FolderIndex, FrameFiles, Pair, sample_frames
from .labels import PUBLISHED, VELOCITY_LABELS, Label, LabelledFrame, boxes_of, complete_tracks, read_labels
from .schema import CLASSES, CONE, CONE_LABEL
from .tables import BUNDLED, SPLITS, folder_split, invalid_frames, label_updates, official_split

EGO_LABELS = ('keep', 'remove')
CAMERA = 'camera'
"""Name of the one camera that each side has."""


class SpdDataset:
    """A V2X-Seq-SPD folder; files are read when records that need them are asked for, and kept."""

    classes = CLASSES

    def __init__(self, root: str | Path, update_labels: str | Path | None = None, ego_labels: str = 'keep',
                 unit: str = SINGLE_UNIT, velocity_labels: str = PUBLISHED) -> None:
        """
        Open a folder.

        :param update_labels: corrections of single-side labels: None, ``'bundled'`` (published) or a file.
        :param ego_labels: ``keep`` (published protocol) or ``remove`` labels of the ego car that are in the
            published list; cooperative labels only.
        :param unit: name of the roadside unit.
        :param velocity_labels: ``published`` differences to the next frame, 0 at the end of a track, or ``central``
            ones, which are NaN where a track has one label only.
        """
        if velocity_labels not in VELOCITY_LABELS:
            raise UserError(f"velocity_labels must be one of {', '.join(VELOCITY_LABELS)}, not '{velocity_labels}'")
        if ego_labels not in EGO_LABELS:
            raise UserError(f"ego_labels must be one of {', '.join(EGO_LABELS)}, not '{ego_labels}'")
        self.root = Path(root)
        self.options = {'ego_labels': ego_labels, 'velocity_labels': velocity_labels}
        self.units: dict[str, DataSet] = {unit: self}
        self._unit = unit
        self.index = FolderIndex(self.root)
        self.split = folder_split(self.root)
        self._updates = dict(label_updates(update_labels))
        # The published code applies only the corrections of the two sides; the cooperative part removes ego cars.
        self._updates['cooperative'] = (
            label_updates(update_labels or BUNDLED)['cooperative'] if ego_labels == 'remove' else {})
        self._sensor_frames: dict[tuple[str, str], SensorFrame] = {}
        self._labels: dict[Path, tuple[Label, ...]] = {}
        self._repeated: list[str] = []
        # Roadside sequences may be of different places, with cameras of their own.
        self._histories: defaultdict[tuple[str, str], CameraHistory] = defaultdict(CameraHistory)

    def has_side(self, side: str) -> bool:
        """Tell whether the folder has the frames of a side or, for ``cooperative``, the pairs."""
        return self.index.has_side(side)

    def partners(self, records: Sequence[FrameRecord]) -> dict[str, list[FrameRecord]]:
        """Return the cooperative records, which are pairs themselves, under the name of the unit."""
        return {self._unit: list(records)}

    def sequences(self, split: str | None = None) -> list[str]:
        """Return ids of sequences that are in the folder, all or those of train, val, test or test_A."""
        if split is not None and split not in SPLITS:
            raise UserError(f"unknown split '{split}'; known: {', '.join(SPLITS)}")
        frames = [f for side, name in (('vehicle-side', 'vehicle'), ('infrastructure-side', 'infra'))
                  if self.index.has_side(side) for f in getattr(self.index, name).values()]
        present = sorted({f.sequence for f in frames})
        return present if split is None else [s for s in present if s in set(self.split[split])]

    def records(self, side: str, sequence: str | None = None, hz: int = 10, keep_cones: bool = False,
                paired_only: bool = True, labels: bool = True) -> list[FrameRecord]:
        """
        Return records of one sequence, or of all, sorted by point-cloud time.

        :param side: ``vehicle-side``, ``infrastructure-side`` or ``cooperative``.
        :param keep_cones: keep traffic cones as one more class; they are not tracked and usually dropped.
        :param paired_only: as published, single sides have only the frames of (sampled) pairs; with False,
            or in a folder without cooperative/, every frame of the side.
        :param labels: False opens no label file, and no record has an object.
        """
        if side not in SIDES:
            raise UserError(f"unknown side '{side}'; known: {', '.join(SIDES)}")
        known = self.sequences()
        if sequence is not None and sequence not in known:
            raise UserError(f"{self.root} has no sequence '{sequence}'; it has {', '.join(known) or 'none'}")
        wanted = known if sequence is None else [sequence]
        records = [r for s in wanted for r in self._sequence_records(side, s, hz, keep_cones, paired_only, labels)]
        return sorted(records, key=lambda r: r.stamp_us)

    def labelled_records(self, labels: Path, sequence: str | None = None) -> list[FrameRecord]:
        """
        Return the vehicle frames for which another folder holds cooperative labels, by point-cloud time.

        :param labels: folder with a file ``FRAME.json`` for each of them.
        """
        wanted = self.sequences() if sequence is None else [sequence]
        records = []
        for name in wanted:
            files = [f for f in self.index.vehicle.values()
                     if f.sequence == name and (labels / f'{f.frame_id}.json').is_file()]
            records += self._build(files, [labels / f'{f.frame_id}.json' for f in files], 'cooperative', False)
        return sorted(records, key=lambda r: r.stamp_us)

    def training_records(self, side: str, sequence: str | None = None, hz: int = 10) -> list[FrameRecord]:
        """Return labelled records without the frames that the published code leaves out of training."""
        # The published list names frames of the published data set only; other folders reuse the numbers.
        invalid = invalid_frames(side) if self.split == official_split() else frozenset()
        return [r for r in self.records(side, sequence, hz) if r.labelled and r.token not in invalid]

    def left_out(self) -> list[LeftOut]:
        """Return what is left out of the records that were asked for so far."""
        found = {**self.index.left_out, 'repeated identity': self._repeated}
        return [LeftOut(kind, len(all_of), str(all_of[0])) for kind, all_of in found.items() if all_of]

    @cached_property
    def _pairs_by_sequence(self) -> dict[str, list[Pair]]:
        grouped: dict[str, list[Pair]] = {}
        for pair in self.index.pairs:
            grouped.setdefault(pair.vehicle.sequence, []).append(pair)
        return grouped

    def _sequence_records(self, side: str, sequence: str, hz: int, keep_cones: bool, paired_only: bool,
                          labels: bool) -> list[FrameRecord]:
        if side == 'cooperative' or (paired_only and self.index.has_side('cooperative')):
            pairs = self._pairs_by_sequence.get(sequence, [])
            pairs = [pairs[i] for i in sample_frames([p.vehicle.frame_id for p in pairs], hz)]
            if side == 'cooperative':
                files = [p.label if labels else None for p in pairs]
                return self._build([p.vehicle for p in pairs], files, side, keep_cones, pairs)
            files = [p.vehicle if side == 'vehicle-side' else p.infra for p in pairs]
            files.sort(key=lambda f: f.frame_id)
        else:
            frames = self.index.vehicle if side == 'vehicle-side' else self.index.infra
            files = [f for f in frames.values() if f.sequence == sequence]
            files = [files[i] for i in sample_frames([f.frame_id for f in files], hz)]
        return self._build(files, [f.label if labels else None for f in files], side, keep_cones)

    def _build(self, files: Sequence[FrameFiles], label_paths: Sequence[Path | None], side: str, keep_cones: bool,
               pairs: Sequence[Pair] = ()) -> list[FrameRecord]:
        """Return the records of one sequence; neighbours in ``files`` are neighbours in time."""
        sensors = [self._sensor_frame(f) for f in files]
        raw = [self._read_labels(path, side, f.frame_id) for f, path in zip(files, label_paths)]
        labels = complete_tracks([LabelledFrame(s.stamp_us, s.stored_global_from_lidar, own or ())
                                  for s, own in zip(sensors, raw)], self.options['velocity_labels'])
        tokens = ['', *(s.token for s in sensors), '']
        classes = (*CLASSES, CONE) if keep_cones else CLASSES
        unit = self._unit if pairs or side == 'infrastructure-side' else ''
        return [
            FrameRecord(
                **vars(sensor), side=side, classes=classes, unit=unit, frame_index=i, previous=tokens[i],
                next=tokens[i + 2], labelled=raw[i] is not None,
                occupancy=label_files(self.root / files[i].side, files[i].frame_id),
                **_label_fields(labels[i], keep_cones), **(self._pair_fields(pairs[i], sensor) if pairs else {}))
            for i, sensor in enumerate(sensors)]

    def _pair_fields(self, pair: Pair, vehicle: SensorFrame) -> dict[str, object]:
        infra = self._sensor_frame(pair.infra)
        return {'infra': infra, 'offset': pair.offset, 'ego_from_infra': ego_from_infra(
            infra.stored_global_from_lidar, vehicle.global_from_ego, vehicle.ego_from_lidar, pair.offset)}

    def _read_labels(self, path: Path | None, side: str, frame_id: str) -> tuple[Label, ...] | None:
        if path is None:
            return None
        if path not in self._labels:
            if not path.is_file():
                return None
            self._labels[path] = read_labels(path, self._updates.get(side, {}).get(frame_id, {}), self._repeated)
        return self._labels[path]

    def _sensor_frame(self, files: FrameFiles) -> SensorFrame:
        key = (files.side, files.frame_id)
        if key not in self._sensor_frames:
            self._sensor_frames[key] = _read_sensor_frame(files, self._histories[files.side, files.sequence])
        return self._sensor_frames[key]


def _read_sensor_frame(files: FrameFiles, history: CameraHistory) -> SensorFrame:
    intrinsic, distortion = read_intrinsic(files.calibration['intrinsic'])
    if files.side == 'vehicle-side':
        ego_from_lidar = read_rigid_pose(files.calibration['ego_from_lidar'])
        global_from_ego = read_rigid_pose(files.calibration['global_from_ego'])
        stored = global_from_ego @ ego_from_lidar
    else:
        ego_from_lidar = np.eye(4)
        stored = read_pose(files.calibration['global_from_ego'])
        global_from_ego = orthonormal(stored)
    camera = CameraFrame(
        name=CAMERA, image_path=files.image, stamp_us=files.image_stamp_us, intrinsic=intrinsic, distortion=distortion,
        cam_from_lidar=read_pose(files.calibration['cam_from_lidar']), history=history)
    return SensorFrame(
        token=files.frame_id, sequence=files.sequence, stamp_us=files.stamp_us, cameras=(camera,),
        ego_from_lidar=ego_from_lidar, global_from_ego=global_from_ego, stored_global_from_lidar=stored,
        point_cloud=_cloud(files),
        intersection=files.intersection)


def _cloud(files: FrameFiles) -> PcdFile | None:
    side = Side.VEHICLE if files.side == 'vehicle-side' else Side.ROADSIDE
    return PcdFile(files.point_cloud, INTENSITY_SCALE[side]) if files.point_cloud.is_file() else None


def _label_fields(labels: Sequence[Label], keep_cones: bool) -> dict[str, object]:
    boxes = boxes_of(labels)
    keep = np.ones(len(boxes), bool) if keep_cones else boxes.label != CONE_LABEL
    labels = [label for label, kept in zip(labels, keep) if kept]
    return {
        'boxes': boxes[keep],
        'visibility': np.array([4 - label.occluded_state for label in labels], dtype=np.int64),
        'type_names': np.array([label.type_name for label in labels], dtype=object),
        'object_tokens': np.array([label.token for label in labels], dtype=object),
        'from_side': np.array([label.from_side for label in labels], dtype=object),
        'vehicle_track_id': np.array([label.vehicle_track_id for label in labels], dtype=np.int64),
        'infra_track_id': np.array([label.infra_track_id for label in labels], dtype=np.int64)}

