"""Labels of the voxels of one frame as a file: Occ3D's arrays, and identities."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ..common.array_files import read_arrays
from ..common.errors import UserError
from ..common.files import replacing
from .grids import GRIDS

_FOLDER = 'occupancy'


@dataclass(frozen=True)
class VoxelLabels:
    """
    Classes and identities of the voxels around one side.

    ``semantics`` (X, Y, Z) uint8 are classes of the grid, free where nothing is known. ``instances`` (X, Y, Z) uint16
    are identities, the same on all sides of a sequence, 0 for none. ``mask_lidar`` (X, Y, Z) uint8 tells what is known,
    ``mask_camera`` what the camera sees of that. ``identity`` (N,) are those in ``instances``, ``track_id`` (N,) int64
    the identities of their boxes in the labels of the side, -1 where the side has none.
    """

    semantics: np.ndarray
    instances: np.ndarray
    mask_lidar: np.ndarray
    mask_camera: np.ndarray
    identity: np.ndarray
    track_id: np.ndarray


def label_path(side_root: Path, grid: str, token: str) -> Path:
    """Return the file of a frame; ``side_root`` is the folder of its side in a data set."""
    return side_root / _FOLDER / grid / f'{token}.npz'


def label_files(side_root: Path, token: str) -> dict[str, Path]:
    """Return the files of a frame that are there, by name of the grid."""
    paths = {name: label_path(side_root, name, token) for name in GRIDS}
    return {name: path for name, path in paths.items() if path.is_file()}


def write_voxels(path: Path, labels: VoxelLabels) -> None:
    """Write a file that is complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open('wb') as stream:
        np.savez_compressed(stream, **vars(labels))


def read_voxels(path: Path) -> VoxelLabels:
    """Return the labels of a file; raise a UserError that names it if it holds something else."""
    names = [f.name for f in fields(VoxelLabels)]
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as labels of voxels: {error}') from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(f"{path} has no array {missing[0]}; expected are {', '.join(names)}")
    labels = VoxelLabels(**{name: arrays[name] for name in names})
    if any(array.dtype.kind not in 'uib' for array in vars(labels).values()):
        raise UserError(f'{path}: {", ".join(names)} must hold whole numbers')
    shape = labels.semantics.shape
    if len(shape) != 3 or any(getattr(labels, name).shape != shape for name in names[:4]):
        raise UserError(f'{path}: {", ".join(names[:4])} must have one shape (X, Y, Z)')
    return labels
