"""A perfect detector of what each side can see: the best that any network could score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import Boxes
from ..data.spd import FrameRecord, SpdDataset
from ..data.units import NOBODY, UnitsDataset
from .exchange import ExchangeBuilder
from .selection import Selection, token_prefix

ORACLES = ('vehicle', 'cooperative')


def oracle_result(datasets: Sequence[tuple[Path, SpdDataset | UnitsDataset]], what: str,
                  selection: Selection | None = None) -> dict[str, Any]:
    """
    Return the exchange result of an oracle.

    :param what: ``vehicle`` reports the objects that the vehicle side labels, ``cooperative`` those of either side
        (of several units: those that take part).
    :param selection: frames that count; default: split val.
    """
    builder = ExchangeBuilder(f'oracle {what}')
    for folder, dataset in datasets:
        prefix = token_prefix(folder, datasets)
        for record in (selection or Selection()).records(dataset):
            seen = visible_boxes(record, what)
            builder.add(record, prefix, seen, None)
    return builder.finish()


def visible_boxes(record: FrameRecord, what: str) -> Boxes:
    """Return the labels of a pair that one side, or either, has."""
    unseen = (NOBODY,) if what == 'cooperative' else ('inf', NOBODY)
    return record.boxes[~np.isin(record.from_side.astype(str), unseen)]
