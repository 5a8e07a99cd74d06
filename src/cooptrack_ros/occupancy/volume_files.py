"""What a run found in its frames, as a folder: a file for each, and one that names them all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..common.array_files import read_arrays
from ..common.errors import UserError
from ..common.files import replacing, write_atomically
from ..common.reading import read_json
from .grids import GRIDS
from .segments import Volume

INDEX_NAME = 'occupancy.json'
SCHEMA = 'cooptrack-volumes/1'


def is_volume_folder(path: Path) -> bool:
    """Tell whether a folder holds volumes."""
    return (path / INDEX_NAME).is_file()


@dataclass
class VolumeWriter:
    """Writes the volumes of a run; ``side`` is whose frames they are, see ``data.dataset.SIDES``."""

    folder: Path
    grid: str
    side: str
    name: str
    _frames: list[dict[str, str]] = field(default_factory=list)

    def add(self, sequence: str, token: str, volume: Volume) -> None:
        """Write a frame; :param sequence: name that is unique among the data folders."""
        path = self.folder / f'{len(self._frames):06d}.npz'
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open('wb') as stream:
            np.savez_compressed(stream, **vars(volume))
        self._frames.append({'sequence': sequence, 'token': token, 'file': path.name})

    def close(self) -> None:
        """Write the file that names all others."""
        content = {'schema': SCHEMA, 'grid': self.grid, 'side': self.side, 'name': self.name, 'frames': self._frames}
        write_atomically(self.folder / INDEX_NAME, json.dumps(content, indent=1) + '\n')


@dataclass(frozen=True)
class VolumeFolder:
    """Volumes of a run; ``files`` by sequence, then by token."""

    grid: str
    side: str
    name: str
    files: Mapping[str, Mapping[str, Path]]

    @staticmethod
    def open(folder: Path) -> VolumeFolder:
        """Return what a folder holds; raise a UserError that names it if that is no run."""
        path = folder / INDEX_NAME
        try:
            content = read_json(path)
            if content['schema'] != SCHEMA or content['grid'] not in GRIDS:
                raise ValueError(f"expected schema {SCHEMA} and one of the grids {', '.join(GRIDS)}")
            files: dict[str, dict[str, Path]] = {}
            for frame in content['frames']:
                # A name with a path could point anywhere.
                files.setdefault(str(frame['sequence']), {})[str(frame['token'])] = folder / Path(frame['file']).name
            return VolumeFolder(content['grid'], str(content['side']), str(content['name']), files)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f'{path} does not name the volumes of a run: {error}') from error

    def read(self, sequence: str, token: str) -> Volume:
        """Return the volume of a frame; raise a UserError that names its file if it holds something else."""
        path, shape = self.files[sequence][token], GRIDS[self.grid].vehicle.shape
        try:
            arrays = read_arrays(path)
            volume = Volume(arrays['semantics'], arrays['instances'])
            classes = len(GRIDS[self.grid].taxonomy.classes)
            if any(a.shape != shape or a.dtype.kind not in 'ui' for a in vars(volume).values()):
                raise ValueError(f'expected whole numbers of shape {shape}')
            if int(volume.semantics.max()) >= classes or int(volume.instances.min()) < 0:
                raise ValueError(f'expected classes 0 to {classes - 1} and identities of 0 or more')
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f'{path} holds no volume: {error}') from error
        return volume
