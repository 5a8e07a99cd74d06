"""Folders that hold data: the only door to data sets, whatever their format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import UserError
from .dataset import SINGLE_UNIT, DataSet
from .early import EarlyFusion
from .griffin.index import is_griffin_folder
from .griffin.reader import UNIT as DRONE
from .griffin.reader import GriffinDataset
from .spd.index import is_spd_folder
from .spd.labels import PUBLISHED
from .spd.reader import SpdDataset
from .units import UnitsDataset, check_units, has_units, named_folders


@dataclass(frozen=True)
class _Format:
    """A format of data sets: what such a folder holds, whether one is of it, and how it is opened."""

    name: str
    expected: str
    fits: Callable[[Path], bool]
    open: Callable[[Path, Sequence[str] | None, str], DataSet]


def _with_one_unit(path: Path, chosen: Sequence[str] | None, velocity_labels: str) -> DataSet:
    check_units(chosen or (), [SINGLE_UNIT], path)
    return SpdDataset(path, velocity_labels=velocity_labels)


def _with_a_drone(path: Path, chosen: Sequence[str] | None, velocity_labels: str) -> DataSet:
    check_units(chosen or (), [DRONE], path)
    return GriffinDataset(path, velocity_labels)


_FORMATS = (
    _Format('several roadside units', 'a V2X-Seq-SPD folder per unit, unit_1, unit_2, ..', has_units, UnitsDataset),
    _Format('V2X-Seq-SPD', 'vehicle-side/data_info.json or infrastructure-side/data_info.json', is_spd_folder,
            _with_one_unit),
    _Format('Griffin', 'vehicle-side/scene_infos.json or drone-side/scene_infos.json', is_griffin_folder,
            _with_a_drone),
)


def open_dataset(folder: str | Path, chosen: Sequence[str] | None = None,
                 velocity_labels: str = PUBLISHED) -> DataSet:
    """
    Open one data set of any known format.

    :param chosen: roadside units that take part, all by default.
    :param velocity_labels: see ``spd.reader.SpdDataset``.
    :raises UserError: for a folder of no known format, or without a unit of these names.
    """
    path = Path(folder)
    for known in _FORMATS:
        if known.fits(path):
            return known.open(path, chosen, velocity_labels)
    formats = '; or '.join(f'{known.expected} ({known.name})' for known in _FORMATS)
    what = 'is no data set of a known format' if path.is_dir() else 'is no folder'
    raise UserError(f'{path} {what}: expected in it are {formats}')


def open_datasets(folders: Sequence[str | Path], chosen: Sequence[str] | None = None,
                  velocity_labels: str = PUBLISHED, early: bool = False) -> list[tuple[Path, DataSet]]:
    """
    Open data folders; one that holds ``seed_*`` data sets stands for all of them.

    :param chosen: roadside units that take part in each, all by default.
    :param velocity_labels: see ``spd.reader.SpdDataset``.
    :param early: give the vehicle the images of its partner too, see ``early.EarlyFusion``.
    :raises UserError: if there are none, for a folder of no known format, or without a unit of these names.
    """
    opened = [(path, open_dataset(path, chosen, velocity_labels)) for path in data_folders(folders)]
    return [(path, EarlyFusion(dataset)) for path, dataset in opened] if early else opened


def data_folders(folders: Sequence[str | Path]) -> list[Path]:
    """Return the data sets meant by folders; raise a UserError if there are none."""
    paths = [path for folder in map(Path, folders) for path in named_folders(folder, 'seed_*') or [folder]]
    if not paths:
        raise UserError('no data: give at least one folder with --data')
    return paths
