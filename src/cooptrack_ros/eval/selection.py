"""Which frames are measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.errors import UserError
from ..data.dataset import DataSet, FrameRecord, OpenedData

RATES_HZ = (2, 5, 10)
"""At which frames can be taken from a recording."""
_COMMON_HZ = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Stamps of images differ from these by some milliseconds, which matters where there are few."""
_USUAL_RATE_HZ = 10.0
"""Of a recording that is too short to tell."""


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
                   for r in self._thinned(dataset, dataset.records(side, s))][:self.limit]
        if not records:
            where = f"split '{self.split}'" if self.split else 'any split'
            raise UserError(f'{dataset.root}: no {side} frames in {where}')
        return records

    def _thinned(self, dataset: DataSet, records: list[FrameRecord]) -> list[FrameRecord]:
        """Return the first frame of every period; half a frame early is in time, as stamps are not exact."""
        if self.hz is None or len(records) < 2:
            return records
        stamps = np.array([r.stamp_us for r in records])
        rate = frame_rate_hz([stamps])
        if self.hz > 1.05 * rate:
            raise UserError(f'{dataset.root}: sequence {records[0].sequence} has {rate:g} frames a second, '
                            f'--hz asks for {self.hz}')
        period = ((stamps - stamps[0]) / 1e6 + 0.5 / rate) * self.hz
        return [records[i] for i in np.unique(np.floor(period), return_index=True)[1]]


def frame_rate_hz(sequences: Iterable[Sequence[int]]) -> float:
    """
    Return the usual number of frames a second: a common one if it is near, else a whole number from 1 on.

    :param sequences: stamps of each in the order of time, microseconds.
    """
    steps = np.concatenate([np.zeros(0), *(np.diff(stamps) for stamps in sequences)])
    if not len(steps):
        return _USUAL_RATE_HZ
    rate = 1e6 / float(np.median(steps))
    common = min(_COMMON_HZ, key=lambda hz: abs(np.log(rate / hz)))
    if abs(rate / common - 1) < 0.15:
        return common
    return float(round(rate)) if rate >= 1 else round(rate, 3)


def token_prefix(folder: Path, datasets: OpenedData) -> str:
    """Return what makes tokens and scenes of one of several folders different: its name, or path if names repeat."""
    if len(datasets) == 1:
        return ''
    names = [other.name for other, _ in datasets]
    return f'{folder.name if names.count(folder.name) == 1 else folder}/'
