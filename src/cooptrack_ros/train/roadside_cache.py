"""What the roadside units of a data set send, computed once with the trained roadside model (method.md 13.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby
from pathlib import Path

import numpy as np

from ..common.array_files import read_arrays
from ..common.errors import UserError
from ..common.files import replacing
from ..common.types import Boxes, InstanceSet
from ..data.dataset import DataSet, SensorFrame
from ..model.image.preprocess import least_size
from ..tracking.tracker import AgentTracker
from .clips import training_frames

_BOX_FIELDS = tuple(f.name for f in fields(Boxes))
_SET_FIELDS = tuple(f.name for f in fields(InstanceSet) if f.name != 'boxes')


def roadside_messages(dataset: DataSet, tracker: AgentTracker, hz: int = 0) -> dict[str, InstanceSet]:
    """
    Run the roadside tracker over every sequence; return its live instances by roadside token.

    :param hz: at so many frames a second, which are the partners of the vehicle's; 0: over all frames.
    """
    messages = {}
    for records in (_partners(dataset, hz) if hz else
                    (dataset.records('infrastructure-side', s) for s in dataset.sequences())):
        state = tracker.initial()
        for record in records:
            state, output = tracker.step(state, record.frame(least=least_size(tracker.config)))
            messages[record.token] = output.instances
    return messages


def _partners(dataset: DataSet, hz: int) -> Iterator[list[SensorFrame]]:
    """Yield the roadside frames of the pairs that training takes, in order, sequence by sequence."""
    for _, part in groupby(training_frames(dataset, 'cooperative', hz), lambda r: r.sequence):
        yield list({pair.infra_token: pair.infra for pair in part}.values())


def save_messages(path: Path, messages: dict[str, InstanceSet]) -> None:
    """Write messages as one npz file, atomically."""
    sets = list(messages.values())
    arrays = {'tokens': np.array(list(messages)), 'counts': np.array([len(s) for s in sets], np.int64)}
    for name in _BOX_FIELDS:
        arrays[f'boxes.{name}'] = np.concatenate([getattr(s.boxes, name) for s in sets])
    for name in _SET_FIELDS:
        arrays[name] = np.concatenate([getattr(s, name) for s in sets])
    with replacing(path) as part, part.open('wb') as stream:
        np.savez(stream, **arrays)


def load_messages(path: Path) -> dict[str, InstanceSet] | None:
    """Read what ``save_messages`` wrote; None if there is nothing, or it is of a release whose instances held less."""
    if not path.is_file():
        return None
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read: {error}; remove it, it is made again') from error
    if not set(_SET_FIELDS) <= arrays.keys():
        return None
    ends = np.cumsum(arrays['counts'])
    starts = ends - arrays['counts']
    messages = {}
    for token, start, end in zip(arrays['tokens'].tolist(), starts, ends, strict=True):
        rows = slice(int(start), int(end))
        boxes = Boxes(**{name: arrays[f'boxes.{name}'][rows] for name in _BOX_FIELDS})
        messages[token] = InstanceSet(boxes, **{name: arrays[name][rows] for name in _SET_FIELDS})
    return messages
