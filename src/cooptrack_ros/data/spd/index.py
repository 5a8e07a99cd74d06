"""What a V2X-Seq-SPD folder holds: frames of each side, pairs, and what is missing."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...common.errors import UserError
from .schema import integer, microseconds, numbers, read_json, require, text

_LOG = logging.getLogger(__name__)
_INDEX = 'data_info.json'
_IMAGE_ARCHIVE = 'V2X-Seq-SPD-*-image*'
"""Name of the folder that an archive of images unpacks to."""
_SIDE_KINDS = {
    'vehicle-side': {
        'intrinsic': 'calib_camera_intrinsic_path', 'cam_from_lidar': 'calib_lidar_to_camera_path',
        'ego_from_lidar': 'calib_lidar_to_novatel_path', 'global_from_ego': 'calib_novatel_to_world_path'},
    'infrastructure-side': {
        'intrinsic': 'calib_camera_intrinsic_path', 'cam_from_lidar': 'calib_virtuallidar_to_camera_path',
        'global_from_ego': 'calib_virtuallidar_to_world_path'},
}


def is_spd_folder(root: Path) -> bool:
    """Tell whether a folder has the index of at least one side."""
    return any((root / side / _INDEX).is_file() for side in _SIDE_KINDS)


@dataclass(frozen=True)
class FrameFiles:
    """One element of a side's data_info: identity, times in microseconds and the paths of its files."""

    side: str
    frame_id: str
    sequence: str
    stamp_us: int
    image_stamp_us: int
    image: Path
    point_cloud: Path
    label: Path
    calibration: dict[str, Path]
    intersection: str


@dataclass(frozen=True)
class Pair:
    """A vehicle frame and its roadside partner; ``offset`` is (delta_x, delta_y) in metres."""

    vehicle: FrameFiles
    infra: FrameFiles
    offset: np.ndarray
    label: Path


class FolderIndex:
    """
    Frames and pairs of one folder, sorted by sequence and frame id, without those whose calibration is missing.

    Nothing but the three data_info files is read; folders are listed once to find missing files.
    """

    def __init__(self, root: Path) -> None:
        """Open a folder; raise a UserError if it has no data_info of either side."""
        self.root = root
        self.missing: Counter[tuple[str, str]] = Counter()
        """(side, kind) -> number of frames that lack such a file."""
        self.left_out: dict[str, list[Path]] = {'image': [], 'calibration': []}
        """The files for want of which frames are left out."""
        self._real_root = Path(os.path.realpath(root))
        self._listings: dict[Path, dict[str, bool]] = {}
        """By folder the names in it, and whether each is a link."""
        self._own: dict[Path, bool] = {}
        """By folder whether its files belong to a data set."""
        if not is_spd_folder(root):
            raise UserError(f'{root} is not a V2X-Seq-SPD folder: expected {root}/vehicle-side/{_INDEX} '
                            f'or {root}/infrastructure-side/{_INDEX}')

    def has_side(self, side: str) -> bool:
        """Tell whether the folder has the data_info of a side or of the pairs."""
        return (self.root / side / _INDEX).is_file()

    @cached_property
    def vehicle(self) -> dict[str, FrameFiles]:
        """Usable vehicle frames by id."""
        return self._side('vehicle-side')

    @cached_property
    def infra(self) -> dict[str, FrameFiles]:
        """Usable roadside frames by id."""
        return self._side('infrastructure-side')

    @cached_property
    def pairs(self) -> list[Pair]:
        """Pairs whose two frames are usable, by sequence and vehicle id."""
        path = self.root / 'cooperative' / _INDEX
        pairs: dict[str, Pair] = {}
        for element in read_json(path, list):
            vehicle = self.vehicle.get(str(require(element, 'vehicle_frame', path)))
            infra = self.infra.get(str(require(element, 'infrastructure_frame', path)))
            if vehicle is None or infra is None:
                self.missing['cooperative', 'partner'] += 1
                continue
            if vehicle.frame_id in pairs:
                raise UserError(f"{path}: two pairs have the vehicle_frame '{vehicle.frame_id}', expected one partner")
            pairs[vehicle.frame_id] = self._pair(element, vehicle, infra, path)
        self._warn('cooperative', len(pairs) + self.missing['cooperative', 'partner'])
        return sorted(pairs.values(), key=lambda pair: _order(pair.vehicle))

    def _pair(self, element: dict[str, Any], vehicle: FrameFiles, infra: FrameFiles, path: Path) -> Pair:
        offset = element.get('system_error_offset') or {}
        label = self.root / 'cooperative' / 'label' / f'{vehicle.frame_id}.json'
        if self._exists(label):
            self._check_own(label, f'{path}: the label')
        else:
            self.missing['cooperative', 'label'] += 1
        return Pair(vehicle, infra, numbers([offset.get('delta_x') or 0.0, offset.get('delta_y') or 0.0], (2,),
                                            'system_error_offset', path), label)

    def _side(self, side: str) -> dict[str, FrameFiles]:
        path = self.root / side / _INDEX
        elements = read_json(path, list)
        frames = [self._frame(side, element, path) for element in elements]
        complete = [frame for frame in frames if frame is not None]
        self._warn(side, len(elements))
        by_id: dict[str, FrameFiles] = {}
        for frame in sorted(complete, key=_order):
            other = by_id.setdefault(frame.frame_id, frame)
            if other is not frame:
                raise UserError(f"{path}: two frames have the frame_id '{frame.frame_id}', in the sequences "
                                f"'{other.sequence}' and '{frame.sequence}'; expected one of each in a folder")
        return by_id

    def _frame(self, side: str, element: dict[str, Any], path: Path) -> FrameFiles | None:
        """Return one frame; None if calibration is missing, or its image while others are there."""
        def file(key: str, usual: str | None = None) -> Path:
            value = require(element, key, path) if usual is None else element.get(key, usual)
            return self._located(side, text(value, key, path), f"{path}: '{key}'")

        def time(key: str) -> int:
            return microseconds(require(element, key, path), key, path)

        frame_id = str(require(element, 'frame_id', path))
        integer(frame_id, 'frame_id', path)
        frame = FrameFiles(
            side=side, frame_id=frame_id, sequence=str(require(element, 'sequence_id', path)),
            stamp_us=time('pointcloud_timestamp'), image_stamp_us=time('image_timestamp'),
            image=self._image(side, file('image_path')),
            point_cloud=file('pointcloud_path', f'velodyne/{frame_id}.pcd'),
            label=file('label_lidar_std_path'),
            calibration={k: file(key) for k, key in _SIDE_KINDS[side].items()},
            intersection=str(element.get('intersection_loc', '')))
        usable = True
        for kind, file in {**frame.calibration, 'image': frame.image, 'label': frame.label}.items():
            if not self._exists(file):
                self.missing[side, kind] += 1
                # A folder without any image still serves everything that needs only labels.
                if kind != 'label' and (kind != 'image' or self._listing(file.parent)):
                    usable = False
                    self.left_out[kind if kind == 'image' else 'calibration'].append(file)
        return frame if usable else None

    def _located(self, side: str, name: str, what: str) -> Path:
        """
        Return where a file is: its name is meant from the folder of the side, but others write it in other ways.

        Backslashes, names from the root of the data set, and absolute ones that were right on another machine.

        :param what: names file and key in errors.
        :raises UserError: for a name that leads out of the data set.
        """
        parts = PurePosixPath(name.replace('\\', '/')).parts
        if '..' in parts:
            raise UserError(f"{what} leads out of the data set: '{name}'")
        place = self._place(side, parts)
        if self._exists(place):
            self._check_own(place, what)
        return place

    def _place(self, side: str, parts: Sequence[str]) -> Path:
        """Return the place of a file: the first that exists, else the usual one."""
        usual = self.root.joinpath(side, *parts)
        if self._exists(usual):
            return usual
        places = [self.root.joinpath(*parts)]
        if side in parts:
            # Counted from the end: folders above the data set may have that name too.
            places.insert(0, self.root.joinpath(side, *parts[len(parts) - parts[::-1].index(side):]))
        return next((place for place in places if self._exists(place)), usual)

    def _image(self, side: str, usual: Path) -> Path:
        """Return the path of an image: the usual one, or inside an unpacked image archive."""
        if self._exists(usual):
            return usual
        for folder in self._image_archives:
            if f'-{side}-image' in folder.name and usual.name in self._listing(folder):
                found = folder / usual.name
                self._check_own(found, f'{self.root}: the image')
                return found
        return usual

    def _check_own(self, file: Path, what: str) -> None:
        """
        See that a file belongs to this data set, whatever links lead to it, or to another of this format.

        Otherwise whoever made a data set could have any file of this machine put into a bag.
        """
        folder = file.parent
        if folder not in self._own:
            self._own[folder] = self._is_own(Path(os.path.realpath(folder)))
        is_link = self._listing(folder)[file.name]
        if not (self._is_own(Path(os.path.realpath(file))) if is_link else self._own[folder]):
            raise UserError(f"{what} leads out of the data set: '{file}' is '{os.path.realpath(file)}'")

    def _is_own(self, real: Path) -> bool:
        archives = [Path(os.path.realpath(folder)) for folder in self._image_archives]
        # A link may have the name of an archive and lead anywhere.
        folders = [self._real_root, *(folder for folder in archives if folder.match(_IMAGE_ARCHIVE))]
        parts = real.parts
        folders += [Path(*parts[:i]) for i, part in enumerate(parts) if part in _SIDE_KINDS and i
                    and is_spd_folder(Path(*parts[:i]))]
        return any(real.is_relative_to(folder) for folder in folders)

    @cached_property
    def _image_archives(self) -> list[Path]:
        return sorted(p for place in (self.root, self.root.parent) for p in place.glob(_IMAGE_ARCHIVE))

    def _listing(self, folder: Path) -> dict[str, bool]:
        if folder not in self._listings:
            self._listings[folder] = {}
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    self._listings[folder] = {entry.name: entry.is_symlink() for entry in entries}
        return self._listings[folder]

    def _exists(self, path: Path) -> bool:
        return path.name in self._listing(path.parent)

    def _warn(self, side: str, total: int) -> None:
        for (where, kind), count in self.missing.items():
            if where == side:
                _LOG.warning('%s: %s: %d of %d frames lack their %s', self.root, side, count, total, kind)


def _order(frame: FrameFiles) -> tuple[str, int]:
    """Return what frames are sorted by; ids need not have leading zeros."""
    return frame.sequence, int(frame.frame_id)


def sample_frames(frame_ids: Sequence[str], hz: int) -> list[int]:
    """
    Return positions of the frames kept at a rate; 10 keeps all.

    Bins of ``10 // hz`` frame ids start at the first frame; the first frame that exists in each bin is kept.

    :param frame_ids: ascending ids (vehicle ids of the pairs where there are pairs) of one sequence.
    """
    if not 1 <= hz <= 10:
        raise UserError(f'the sampling rate must be 1 to 10 frames per second, not {hz}')
    width = 10 // hz
    kept, last_bin = [], -1
    for position, frame_id in enumerate(frame_ids):
        index = (int(frame_id) - int(frame_ids[0])) // width
        if index != last_bin:
            kept.append(position)
            last_bin = index
    return kept
