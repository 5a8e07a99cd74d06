"""Reader of V2X-Seq-SPD folders: frames of one side or cooperative pairs with poses, calibration and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.jpeg import Picture, decode_picture
from ..core.types import Boxes, Frame
from .spd_calibration import ego_from_infra, orthonormal, read_intrinsic, read_pose, read_rigid_pose
from .spd_index import FolderIndex, FrameFiles, Pair
from .spd_labels import Label, LabelledFrame, boxes_of, complete_tracks, read_labels
from .spd_sampling import sample_frames
from .spd_schema import CONE_LABEL, SIDES
from .spd_tables import BUNDLED, SPLITS, folder_split, invalid_frames, label_updates, official_split

EGO_LABELS = ('keep', 'remove')


@dataclass(frozen=True)
class SensorFrame:
    """
    One camera picture with calibration and pose; matrices are 4x4 float64, times are microseconds.

    ``stamp_us`` is the point-cloud time. ``cam_from_lidar`` is raw and need not be a rotation.
    ``global_from_ego`` is orthonormal; on the roadside ego and virtual lidar are one.
    ``stored_global_from_lidar`` is the product of the pose files without orthonormalisation.
    """

    token: str
    sequence: str
    stamp_us: int
    image_stamp_us: int
    image_path: Path
    point_cloud_path: Path
    intrinsic: np.ndarray
    distortion: np.ndarray
    cam_from_lidar: np.ndarray
    ego_from_lidar: np.ndarray
    global_from_ego: np.ndarray
    stored_global_from_lidar: np.ndarray
    intersection: str

    @property
    def img_from_lidar(self) -> np.ndarray:
        """Projection of lidar points to pixels of the full picture, 4x4."""
        projection = np.eye(4)
        projection[:3] = self.intrinsic @ self.cam_from_lidar[:3]
        return projection

    @property
    def global_from_lidar(self) -> np.ndarray:
        """Pose of the lidar in the world, orthonormal 4x4."""
        return self.global_from_ego @ self.ego_from_lidar

    def frame(self, least: tuple[int, int] | None = None) -> Frame:
        """
        Return what a tracker needs for this time step; decodes the picture.

        :param least: rows and columns that must remain of the picture, see ``core.jpeg.decode_picture``.
        """
        picture = self._picture(least)
        if picture is None:
            raise UserError(f'{self.image_path} is missing or not a readable picture')
        return Frame(self.sequence, self.stamp_us * 1000, (picture.pixels,),
                     picture.projection(self.img_from_lidar)[None], self.ego_from_lidar, self.global_from_ego)

    def frame_without_image(self) -> Frame:
        """Return the same without the picture, for a tracker that knows what it shows."""
        return Frame(self.sequence, self.stamp_us * 1000, (), self.img_from_lidar[:0], self.ego_from_lidar,
                     self.global_from_ego)

    def _picture(self, least: tuple[int, int] | None) -> Picture | None:
        try:
            return decode_picture(np.fromfile(self.image_path, np.uint8), least)
        except OSError:
            return None


@dataclass(frozen=True)
class FrameRecord(SensorFrame):
    """
    One frame of a side, or a cooperative pair seen from the vehicle, with N labels in its lidar frame.

    ``previous`` and ``next`` are tokens of neighbours in the sequence or empty. ``boxes.track_id`` is the number
    of the stored id, unique within sequence and side; velocity is 0 at a track's last label. ``visibility``
    (N,) is 4 (visible) to 1 (filled into a hole). ``labelled`` is False if there is no label file.
    For pairs, ``infra`` is the roadside frame and ``ego_from_infra`` maps its virtual-lidar points into the
    vehicle lidar frame; the side track ids are -1 where that side has no label.
    """

    frame_index: int = 0
    previous: str = ''
    next: str = ''
    labelled: bool = False
    boxes: Boxes = field(default_factory=Boxes.empty)
    visibility: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    type_names: np.ndarray = field(default_factory=lambda: np.zeros(0, object))
    object_tokens: np.ndarray = field(default_factory=lambda: np.zeros(0, object))
    from_side: np.ndarray = field(default_factory=lambda: np.zeros(0, object))
    vehicle_track_id: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    infra_track_id: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    infra: SensorFrame | None = None
    offset: np.ndarray | None = None
    ego_from_infra: np.ndarray | None = None

    @property
    def infra_token(self) -> str:
        """Frame id of the roadside partner."""
        return self.infra.token

    @property
    def infra_stamp_us(self) -> int:
        """Point-cloud time of the roadside partner, microseconds."""
        return self.infra.stamp_us

    @property
    def infra_image_path(self) -> Path:
        """Picture of the roadside partner."""
        return self.infra.image_path

    def frame(self, side_of_image: str = 'vehicle', least: tuple[int, int] | None = None) -> Frame:
        """
        Return what a tracker needs for this time step; decodes the picture.

        :param side_of_image: ``infrastructure`` gives the roadside partner of a pair.
        :param least: see ``SensorFrame.frame``.
        """
        is_partner = side_of_image == 'infrastructure' and self.infra
        return self.infra.frame(least) if is_partner else super().frame(least)


class SpdDataset:
    """A V2X-Seq-SPD folder; files are read when records that need them are asked for, and kept."""

    def __init__(self, root: str | Path, update_labels: str | Path | None = None, ego_labels: str = 'keep') -> None:
        """
        Open a folder.

        :param update_labels: corrections of single-side labels: None, ``'bundled'`` (published) or a file.
        :param ego_labels: ``keep`` (published protocol) or ``remove`` labels of the ego car that are in the
            published list; cooperative labels only.
        """
        if ego_labels not in EGO_LABELS:
            raise UserError(f"ego_labels must be one of {', '.join(EGO_LABELS)}, not '{ego_labels}'")
        self.root = Path(root)
        self.ego_labels = ego_labels
        self.index = FolderIndex(self.root)
        self.split = folder_split(self.root)
        self._updates = dict(label_updates(update_labels))
        # The published code applies only the corrections of the two sides; the cooperative part removes ego cars.
        self._updates['cooperative'] = (
            label_updates(update_labels or BUNDLED)['cooperative'] if ego_labels == 'remove' else {})
        self._sensor_frames: dict[tuple[str, str], SensorFrame] = {}
        self._labels: dict[Path, tuple[Label, ...]] = {}

    def sequences(self, split: str | None = None) -> list[str]:
        """Return ids of sequences that are in the folder, all or those of train, val, test or test_A."""
        if split is not None and split not in SPLITS:
            raise UserError(f"unknown split '{split}'; known: {', '.join(SPLITS)}")
        frames = [f for side, name in (('vehicle-side', 'vehicle'), ('infrastructure-side', 'infra'))
                  if self.index.has_side(side) for f in getattr(self.index, name).values()]
        present = sorted({f.sequence for f in frames})
        return present if split is None else [s for s in present if s in set(self.split[split])]

    def records(self, side: str, sequence: str | None = None, hz: int = 10, keep_cones: bool = False,
                paired_only: bool = True) -> list[FrameRecord]:
        """
        Return records of one sequence, or of all, sorted by point-cloud time.

        :param side: ``vehicle-side``, ``infrastructure-side`` or ``cooperative``.
        :param keep_cones: keep traffic cones as label 3; they are not tracked and usually dropped.
        :param paired_only: as published, single sides have only the frames of (sampled) pairs; with False,
            or in a folder without cooperative/, every frame of the side.
        """
        if side not in SIDES:
            raise UserError(f"unknown side '{side}'; known: {', '.join(SIDES)}")
        known = self.sequences()
        if sequence is not None and sequence not in known:
            raise UserError(f"{self.root} has no sequence '{sequence}'; it has {', '.join(known) or 'none'}")
        wanted = known if sequence is None else [sequence]
        records = [r for s in wanted for r in self._sequence_records(side, s, hz, keep_cones, paired_only)]
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

    @cached_property
    def _pairs_by_sequence(self) -> dict[str, list[Pair]]:
        grouped: dict[str, list[Pair]] = {}
        for pair in self.index.pairs:
            grouped.setdefault(pair.vehicle.sequence, []).append(pair)
        return grouped

    def _sequence_records(self, side: str, sequence: str, hz: int, keep_cones: bool,
                          paired_only: bool) -> list[FrameRecord]:
        if side == 'cooperative' or (paired_only and self.index.has_side('cooperative')):
            pairs = self._pairs_by_sequence.get(sequence, [])
            pairs = [pairs[i] for i in sample_frames([p.vehicle.frame_id for p in pairs], hz)]
            if side == 'cooperative':
                return self._build([p.vehicle for p in pairs], [p.label for p in pairs], side, keep_cones, pairs)
            files = [p.vehicle if side == 'vehicle-side' else p.infra for p in pairs]
            files.sort(key=lambda f: f.frame_id)
        else:
            frames = self.index.vehicle if side == 'vehicle-side' else self.index.infra
            files = [f for f in frames.values() if f.sequence == sequence]
            files = [files[i] for i in sample_frames([f.frame_id for f in files], hz)]
        return self._build(files, [f.label for f in files], side, keep_cones)

    def _build(self, files: Sequence[FrameFiles], label_paths: Sequence[Path], side: str, keep_cones: bool,
               pairs: Sequence[Pair] = ()) -> list[FrameRecord]:
        """Return the records of one sequence; neighbours in ``files`` are neighbours in time."""
        sensors = [self._sensor_frame(f) for f in files]
        raw = [self._read_labels(path, side, f.frame_id) for f, path in zip(files, label_paths)]
        labels = complete_tracks([LabelledFrame(s.stamp_us, s.stored_global_from_lidar, own or ())
                                  for s, own in zip(sensors, raw)])
        tokens = ['', *(s.token for s in sensors), '']
        return [
            FrameRecord(
                **vars(sensor), frame_index=i, previous=tokens[i], next=tokens[i + 2],
                labelled=raw[i] is not None, **_label_fields(labels[i], keep_cones),
                **(self._pair_fields(pairs[i], sensor) if pairs else {}))
            for i, sensor in enumerate(sensors)]

    def _pair_fields(self, pair: Pair, vehicle: SensorFrame) -> dict[str, object]:
        infra = self._sensor_frame(pair.infra)
        return {'infra': infra, 'offset': pair.offset, 'ego_from_infra': ego_from_infra(
            infra.stored_global_from_lidar, vehicle.global_from_ego, vehicle.ego_from_lidar, pair.offset)}

    def _read_labels(self, path: Path, side: str, frame_id: str) -> tuple[Label, ...] | None:
        if path not in self._labels:
            if not path.is_file():
                return None
            self._labels[path] = read_labels(path, self._updates.get(side, {}).get(frame_id, {}))
        return self._labels[path]

    def _sensor_frame(self, files: FrameFiles) -> SensorFrame:
        key = (files.side, files.frame_id)
        if key not in self._sensor_frames:
            self._sensor_frames[key] = _read_sensor_frame(files)
        return self._sensor_frames[key]


def _read_sensor_frame(files: FrameFiles) -> SensorFrame:
    intrinsic, distortion = read_intrinsic(files.calibration['intrinsic'])
    if files.side == 'vehicle-side':
        ego_from_lidar = read_rigid_pose(files.calibration['ego_from_lidar'])
        global_from_ego = read_rigid_pose(files.calibration['global_from_ego'])
        stored = global_from_ego @ ego_from_lidar
    else:
        ego_from_lidar = np.eye(4)
        stored = read_pose(files.calibration['global_from_ego'])
        global_from_ego = orthonormal(stored)
    return SensorFrame(
        token=files.frame_id, sequence=files.sequence, stamp_us=files.stamp_us,
        image_stamp_us=files.image_stamp_us, image_path=files.image, point_cloud_path=files.point_cloud,
        intrinsic=intrinsic, distortion=distortion, cam_from_lidar=read_pose(files.calibration['cam_from_lidar']),
        ego_from_lidar=ego_from_lidar, global_from_ego=global_from_ego, stored_global_from_lidar=stored,
        intersection=files.intersection)


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


def in_range(boxes: Boxes, pc_range: Sequence[float]) -> np.ndarray:
    """
    Return a mask (N,) of boxes that count as training targets of a range.

    Centre strictly inside the bird's-eye square, height ignored, and one of the tracked classes.

    :param pc_range: x0, y0, z0, x1, y1, z1 in metres.
    """
    x, y = boxes.centre[:, 0], boxes.centre[:, 1]
    return ((x > pc_range[0]) & (x < pc_range[3]) & (y > pc_range[1]) & (y < pc_range[4])
            & (boxes.label != CONE_LABEL))
