"""Recordings of one vehicle with several roadside units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from ..common.errors import UserError
from .dataset import NOBODY, DataSet, FrameRecord, LeftOut
from .spd.labels import PUBLISHED
from .spd.reader import SpdDataset

_UNIT_FOLDERS = 'unit_*'
_SAME_M = 0.5
"""Labels of all units are made for the vehicle's time, so those of one object lie on each other."""


class UnitsDataset:
    """
    A folder with one V2X-Seq-SPD data set per unit, ``unit_1`` .., whose vehicle sides are the same.

    ``cooperative/label`` beside them holds what the vehicle or any unit labels, one file for each vehicle frame that
    has a partner in every unit. Only those frames count.
    """

    def __init__(self, root: str | Path, chosen: Sequence[str] | None = None, velocity_labels: str = PUBLISHED) -> None:
        """
        Open a folder.

        :param chosen: units that take part, all by default. The labels stay those of all units, so that results
            with different units can be compared; ``from_side`` tells what the vehicle and the chosen units see.
        :param velocity_labels: see ``SpdDataset``.
        :raises UserError: if there is no unit of a name.
        """
        self.root = Path(root)
        folders = {path.name: path for path in named_folders(self.root, _UNIT_FOLDERS)}
        self._labels = self.root / 'cooperative' / 'label'
        names = check_units(chosen or folders, folders, self.root)
        # The vehicle side of any unit will do.
        self._first = SpdDataset(next(iter(folders.values())), velocity_labels=velocity_labels)
        self.split, self.options, self.classes = self._first.split, self._first.options, self._first.classes
        self.units: dict[str, DataSet] = {name: SpdDataset(folders[name], unit=name, velocity_labels=velocity_labels)
                                          for name in names}

    def has_side(self, side: str) -> bool:
        """Tell whether there are records of a side: those of the roadside belong to the units."""
        return side != 'infrastructure-side'

    def sequences(self, split: str | None = None) -> list[str]:
        """Return ids of sequences, all or those of a split."""
        return self._first.sequences(split)

    def records(self, side: str, sequence: str | None = None, *, labels: bool = True) -> list[FrameRecord]:
        """
        Return records by point-cloud time; those of ``cooperative`` have no partner, see ``partners``.

        :param side: ``cooperative`` or ``vehicle-side``; :param labels: those of ``cooperative`` cannot do without.
        :raises UserError: for the roadside: each unit is a data set of its own; if there are no labels of all units.
        """
        if side == 'infrastructure-side':
            raise UserError(f'{self.root} has several roadside units: name the folder of one, such as '
                            f'{self.root / next(iter(self.units))}')
        if side != 'cooperative':
            return self._first.records(side, sequence, labels=labels)
        if not self._labels.is_dir():
            raise UserError(f'{self.root} holds several roadside units but no {self._labels}: expected are the labels '
                            'of what the vehicle or any unit sees; `cooptrack synth --units` writes them')
        records = self._first.labelled_records(self._labels, sequence)
        partners = self.partners(records)
        return [replace(record, from_side=_seen_by(record, [unit[i] for unit in partners.values()]))
                for i, record in enumerate(records)]

    def training_records(self, side: str) -> list[FrameRecord]:
        """
        Return labelled records of the vehicle that are fit for training.

        :raises UserError: for pairs and the roadside: each unit is a data set of its own.
        """
        if side != 'vehicle-side':
            raise UserError(f'{self.root} has several roadside units: records of {side} for training are those of each')
        return self._first.training_records(side)

    def left_out(self) -> list[LeftOut]:
        """Return what the vehicle side lacks; each unit is a data set of its own."""
        return self._first.left_out()

    def partners(self, records: Sequence[FrameRecord]) -> dict[str, list[FrameRecord]]:
        """
        Return, by unit that takes part, the pair of each record.

        :raises UserError: if a unit has no partner for a record.
        """
        result = {}
        for name, dataset in self.units.items():
            pairs = {r.token: r for r in dataset.records('cooperative')}
            missing = [r.token for r in records if r.token not in pairs]
            if missing:
                raise UserError(f"{dataset.root}: vehicle frame '{missing[0]}' has labels of all units in "
                                f'{self._labels}, but no roadside partner')
            result[name] = [pairs[r.token] for r in records]
        return result


def named_folders(parent: Path, pattern: str) -> list[Path]:
    """Return folders of a name; archives of them may lie beside."""
    return sorted(path for path in parent.glob(pattern) if path.is_dir())


def has_units(folder: Path) -> bool:
    """Tell whether a folder holds one data set per roadside unit."""
    return bool(named_folders(folder, _UNIT_FOLDERS))


def check_units(chosen: Sequence[str], known: Sequence[str], root: Path) -> list[str]:
    """Return names of units in ascending order; raise a UserError for one that is not known."""
    for name in chosen:
        if name not in known:
            raise UserError(f"{root} has no roadside unit '{name}'; it has {', '.join(known)}")
    return sorted(set(chosen))


def _seen_by(record: FrameRecord, partners: Sequence[FrameRecord]) -> np.ndarray:
    """Return (N,) who sees the objects of a record: ``veh``, ``inf``, ``coop`` or ``NOBODY``."""
    by_vehicle = record.from_side != 'inf'
    by_unit = np.zeros(len(record.boxes), bool)
    for partner in partners:
        sent = partner.boxes[np.asarray(partner.from_side != 'veh', bool)]
        near = cdist(record.boxes.centre, sent.centre) <= _SAME_M
        by_unit |= (near & (record.boxes.label[:, None] == sent.label)).any(1)
    sides = [('coop' if unit else 'veh') if own else ('inf' if unit else NOBODY)
             for own, unit in zip(by_vehicle, by_unit, strict=True)]
    return np.array(sides, dtype=object)
