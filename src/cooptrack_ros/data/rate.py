"""How many frames a second a recording has, and fewer of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..common.errors import UserError
from .dataset import FrameRecord

RATES_HZ = (2, 5, 10)
"""At which frames can be taken from a recording."""
_COMMON_HZ = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Stamps of images differ from these by some milliseconds, which matters where there are few."""
_USUAL_RATE_HZ = 10.0
"""Of a recording that is too short to tell."""


def thinned(records: list[FrameRecord], hz: int | None, root: Path) -> list[FrameRecord]:
    """
    Return the first frame of every period of a sequence; half a frame early is in time, as stamps are not exact.

    :param records: in the order of time; :param hz: frames a second, None or 0 for all; :param root: of the data set.
    :raises UserError: if there are not so many.
    """
    if not hz or len(records) < 2:
        return records
    stamps = np.array([r.stamp_us for r in records])
    rate = frame_rate_hz([stamps])
    if hz > 1.05 * rate:
        raise UserError(f'{root}: sequence {records[0].sequence} has {rate:g} frames a second, --hz asks for {hz}')
    period = ((stamps - stamps[0]) / 1e6 + 0.5 / rate) * hz
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
