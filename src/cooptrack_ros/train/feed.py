"""Prepared frames for every step, made by worker processes ahead of time where asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from .clips import Position, Sample

Place = tuple[int, int, int]
"""Slot, number of its clip, frame in that clip."""


class Stream(Protocol):
    """Where the samples of each slot come from."""

    def positions(self, slot: int, start: Position = (0, 0)) -> Iterator[Position]:
        """Yield where a slot goes, for ever, from a position on."""

    def sample(self, slot: int, position: Position) -> Sample:
        """Return the frame at a position of a slot."""


class _Frames(Dataset):
    def __init__(self, stream: Stream):
        self._stream = stream

    def __getitem__(self, place: Place) -> tuple[Place, Sample]:
        slot, *position = place
        return place, self._stream.sample(slot, tuple(position))


class _Steps:
    """Which places make each step, for ever."""

    def __init__(self, stream: Stream, last: dict[int, Position]):
        self._stream, self._last = stream, last

    def __iter__(self) -> Iterator[list[Place]]:
        slots = {slot: self._stream.positions(slot, (number, frame + 1))
                 for slot, (number, frame) in self._last.items()}
        while True:
            yield [(slot, *next(positions)) for slot, positions in slots.items()]


def feed(stream: Stream, last: dict[int, Position], workers: int) -> Iterator[Sequence[tuple[Place, Sample]]]:
    """
    Yield the samples of every step, for ever, each with its place; slots in the order of ``last``.

    :param last: the last position of every slot, which is not given again;
    :param workers: processes that prepare frames, each a whole step at a time and two ahead; 0: none.
    """
    # A generator of its own: the loader draws a seed, which must not move the one of the training.
    loader = DataLoader(_Frames(stream), batch_sampler=_Steps(stream, last), num_workers=workers, collate_fn=list,
                        generator=torch.Generator(), multiprocessing_context='fork' if workers else None)
    return iter(loader)
