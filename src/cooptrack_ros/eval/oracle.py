"""A perfect detector of what each side can see: the best that any network could score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..common.types import Boxes
from ..data.dataset import NOBODY, FrameRecord, OpenedData, in_classes
from .exchange import DEFAULT_CLASS_RANGE, ExchangeBuilder
from .selection import Selection, token_prefix

ORACLES = ('vehicle', 'cooperative')


def oracle_result(datasets: OpenedData, what: str, selection: Selection | None = None,
                  class_range: Mapping[str, float] = DEFAULT_CLASS_RANGE) -> dict[str, Any]:
    """
    Return the exchange result of an oracle.

    Every box of its detections has a score of its own, in random order: among equal scores the devkit takes the error
    of a single box for that of all.

    :param what: ``vehicle`` reports the objects that the vehicle side labels, ``cooperative`` those of either side
        (of several units: those that take part).
    :param selection: frames that count; default: split val.
    :param class_range: metres by class, of the model that is measured beside it.
    """
    builder, random = ExchangeBuilder(f'oracle {what}', class_range), np.random.default_rng(0)
    for folder, dataset in datasets:
        prefix = token_prefix(folder, datasets)
        for record in (selection or Selection()).records(dataset):
            seen = in_classes(visible_boxes(record, what), record.classes, builder.classes)
            builder.add(record, prefix, seen, seen.with_(score=1.0 - 1e-3 * random.random(len(seen))))
    return builder.finish()


def visible_boxes(record: FrameRecord, what: str) -> Boxes:
    """Return the labels of a pair that one side, or either, has."""
    unseen = (NOBODY,) if what == 'cooperative' else ('inf', NOBODY)
    return record.boxes[~np.isin(record.from_side.astype(str), unseen)]
