"""Which frames are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..common.errors import UserError
from ..data.dataset import DataSet, FrameRecord, OpenedData
from ..data.rate import thinned


@dataclass(frozen=True)
class Selection:
    """
    Frames of a data set that count, the same for every mode and for the oracle.

    ``split`` None takes all sequences; ``hz`` takes so many frames a second of every sequence, None all, of the vehicle
    with their partners of every unit and their labels; ``limit`` takes so many from the start of each data set.
    """

    split: str | None = 'val'
    limit: int | None = None
    hz: int | None = None

    def records(self, dataset: DataSet, side: str = 'cooperative') -> list[FrameRecord]:
        """
        Return the records sequence by sequence: recordings may overlap in time, trackers must not mix them.

        :raises UserError: if nothing is selected, or the data has fewer frames a second than are asked for.
        """
        records = [r for s in dataset.sequences(self.split)
                   for r in thinned(dataset.records(side, s), self.hz, dataset.root)][:self.limit]
        if not records:
            where = f"split '{self.split}'" if self.split else 'any split'
            raise UserError(f'{dataset.root}: no {side} frames in {where}')
        return records


def token_prefix(folder: Path, datasets: OpenedData) -> str:
    """Return what makes tokens and scenes of one of several folders different: its name, or path if names repeat."""
    if len(datasets) == 1:
        return ''
    names = [other.name for other, _ in datasets]
    return f'{folder.name if names.count(folder.name) == 1 else folder}/'
