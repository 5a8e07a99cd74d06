"""What a Griffin folder holds: scenes, their frames on both sides, and the split."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path

from ...common.errors import UserError
from ..spd.schema import integer, read_json, require, text
from .files import CAMERAS

FOLDER_OF_SIDE = {'vehicle-side': 'vehicle-side', 'infrastructure-side': 'drone-side'}
_INDEX = 'scene_infos.json'
_SPLIT_KEY, SPLITS = 'batch_split', ('train', 'val')
_LOG = logging.getLogger(__name__)


def is_griffin_folder(root: Path) -> bool:
    """Tell whether a folder has the scenes of at least one side."""
    return any((root / side / _INDEX).is_file() for side in CAMERAS)


class GriffinIndex:
    """
    Scenes of a folder and the frames of each that have all their files; a frame has one number on both sides.

    Nothing but the lists of scenes is read; folders are listed once to find missing files.
    """

    def __init__(self, root: Path) -> None:
        """Open a folder; raise a UserError if it has no scenes of either side."""
        self.root = root
        self.left_out: dict[str, list[Path]] = {'image': [], 'calibration': []}
        """The files for want of which frames are left out."""
        if not is_griffin_folder(root):
            raise UserError(f'{root} is not a Griffin folder: expected {root}/vehicle-side/{_INDEX} '
                            f'or {root}/drone-side/{_INDEX}')
        self.sides = tuple(side for side, folder in FOLDER_OF_SIDE.items() if (root / folder / _INDEX).is_file())
        self._names: dict[Path, frozenset[str]] = {}
        self._cameras: dict[str, tuple[str, ...]] = {}

    def has_side(self, side: str) -> bool:
        """Tell whether the folder has the frames of a side or, for ``cooperative``, both sides."""
        return side in self.sides if side in FOLDER_OF_SIDE else len(self.sides) == len(FOLDER_OF_SIDE)

    @cached_property
    def split(self) -> dict[str, list[str]]:
        """Names of the scenes of ``train`` and ``val``, from the JSON file beside the sides that holds them."""
        for path in sorted(self.root.glob('*.json')):
            content = read_json(path, object)
            if isinstance(content, dict) and _SPLIT_KEY in content:
                return _split(content[_SPLIT_KEY], path)
        _LOG.warning("%s: no JSON file with '%s', so that no scene belongs to train or val", self.root, _SPLIT_KEY)
        return {name: [] for name in SPLITS}

    @cached_property
    def scenes(self) -> dict[str, list[int]]:
        """Numbers of the usable frames of each scene in ascending order; of both sides where there are two."""
        common, *others = (self._scenes(side) for side in self.sides)
        for scenes in others:
            common = {name: sorted(set(frames) & set(scenes[name])) for name, frames in common.items()
                      if name in scenes}
        return {name: [number for number in frames if self._is_complete(number)] for name, frames in common.items()}

    def cameras(self, side: str) -> tuple[str, ...]:
        """
        Return the names of the cameras of a side, those with images or a calibration.

        :raises UserError: if there is none.
        """
        if side not in self._cameras:
            folder = self.root / FOLDER_OF_SIDE[side]
            self._cameras[side] = tuple(
                name for name in CAMERAS[FOLDER_OF_SIDE[side]] if (folder / 'camera' / name).is_dir()
                or (folder / 'calib' / f'{name}.json').is_file())
            if not self._cameras[side]:
                raise UserError(f'{folder} has no camera: expected {folder}/calib/front.json and {folder}/camera/front')
        return self._cameras[side]

    def file(self, side: str, kind: str, name: str) -> Path:
        """Return the path of a file of a side; :param kind: its folder."""
        return self.root / FOLDER_OF_SIDE[side] / kind / name

    def image(self, side: str, camera: str, number: int) -> Path:
        """Return the path of an image."""
        return self.file(side, 'camera', f'{camera}/{number:06d}.png')

    def _scenes(self, side: str) -> dict[str, list[int]]:
        path = self.file(side, '.', _INDEX)
        scenes, places = {}, {}
        for place, element in enumerate(read_json(path, list)):
            name = f"scene-{place:04d}-{text(require(element, 'name', path), 'name', path)}"
            frames = require(require(element, 'info', path), 'frames', path)
            if not isinstance(frames, list):
                raise UserError(f"{path}: 'frames' of {name} must be a list of frames, not {frames!r}")
            scenes[name] = sorted(integer(frame, 'frames', path) for frame in frames)
            for number in scenes[name]:
                if number < 0 or places.setdefault(number, name) is not name:
                    raise UserError(f'{path}: frame {number} of {name} is negative or in {places[number]}, too')
        return scenes

    def _is_complete(self, number: int) -> bool:
        """Tell whether poses and images of a frame are there; a camera without any image may have none."""
        complete = True
        for side in self.sides:
            wanted = {self.file(side, 'pose', f'{number:06d}.json'): 'calibration'}
            wanted |= {self.image(side, camera, number): 'image' for camera in self.cameras(side)}
            for path, kind in wanted.items():
                names = self._listing(path.parent)
                if path.name not in names and (kind != 'image' or names):
                    self.left_out[kind].append(path)
                    complete = False
        return complete

    def _listing(self, folder: Path) -> frozenset[str]:
        if folder not in self._names:
            self._names[folder] = frozenset(os.listdir(folder) if folder.is_dir() else ())
        return self._names[folder]


def _split(table: object, path: Path) -> dict[str, list[str]]:
    if not isinstance(table, dict) or not all(isinstance(names, list) for names in table.values()):
        raise UserError(f"{path}: '{_SPLIT_KEY}' must map split names to lists of scenes")
    return {name: [str(scene) for scene in table.get(name, [])] for name in dict.fromkeys([*SPLITS, *table])}
