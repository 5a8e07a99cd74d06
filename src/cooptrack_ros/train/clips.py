"""Training data as endless streams of short clips (model.md 13.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.types import Boxes, Frame, InstanceSet, RoadsideMessage, Side
from ..data.spd import FrameRecord, SpdDataset, in_range
from .augment import mirror_boxes, mirror_frame
from .recipe import TrainConfig

RECORD_SIDE = {Side.VEHICLE: 'vehicle-side', Side.ROADSIDE: 'infrastructure-side', Side.COOPERATIVE: 'cooperative'}

Position = tuple[int, int]
"""Where a slot is: number of its clip, frame in that clip."""


@dataclass(frozen=True)
class Sample:
    """One training frame: input, objects in range in the agent's lidar frame, and a received message or None."""

    frame: Frame
    boxes: Boxes
    message: RoadsideMessage | None = None


@dataclass(frozen=True)
class _Item:
    folder: Path
    record: FrameRecord


class ClipStream:
    """
    Endless, repeatable streams of frames, one per slot.

    Slot g of G takes clips g, g + G, ... of an endless row of random permutations of all clips; inside a
    clip frames keep their order. A stream's position is two numbers, so that a run can resume.
    """

    def __init__(self, datasets: list[tuple[Path, SpdDataset]], side: Side, config: TrainConfig,
                 pc_range: tuple[float, ...], messages: dict[tuple[str, str], InstanceSet] | None = None):
        """Index the frames; ``messages`` maps (folder name, roadside token) to what the unit sent."""
        self._config = config
        self._pc_range = pc_range
        self._messages = messages
        items = []
        for folder, dataset in datasets:
            records = dataset.training_records(RECORD_SIDE[side])
            items += [_Item(folder, r) for r in sorted(records, key=lambda r: (r.sequence, r.stamp_us))]
        length = config.clip_length
        clips = [items[i:i + length] for i in range(0, len(items), length)]
        self._clips = [[i for i in clip if in_range(i.record.boxes, pc_range).any()] for clip in clips]
        self._clips = [clip for clip in self._clips if clip]
        if not self._clips:
            raise UserError('the training data holds no frame with a labelled object in range')
        self.num_frames = sum(map(len, self._clips))

    def slot(self, index: int, start: Position = (0, 0)) -> Iterator[tuple[Position, Sample]]:
        """Yield the samples of a slot for ever, from a position on, each with its own position."""
        config = self._config
        number, first = start
        while True:
            epoch, position = divmod(index + number * config.batch_slots, len(self._clips))
            order = np.random.default_rng([config.seed, 1, epoch]).permutation(len(self._clips))
            rng = np.random.default_rng([config.seed, 2, index, number])
            mirror = rng.random() < config.augment.mirror_probability
            for frame, item in enumerate(self._clips[order[position]]):
                if frame >= first:
                    yield (number, frame), self._sample(item, mirror)
            number, first = number + 1, 0

    def _sample(self, item: _Item, mirror: bool) -> Sample:
        record = item.record
        frame = record.frame()
        frame = replace(frame, sequence=f'{item.folder.name}/{record.sequence}')
        boxes = record.boxes[in_range(record.boxes, self._pc_range)]
        message = None
        if self._messages is not None:
            if mirror:
                raise ValueError('messages cannot be mirrored')
            instances = self._messages[item.folder.name, record.infra_token]
            message = RoadsideMessage('rsu_1', record.infra_stamp_us * 1000, instances, record.ego_from_infra)
        if mirror:
            frame, boxes = mirror_frame(frame), mirror_boxes(boxes)
        return Sample(frame, boxes, message)


class MixedStream:
    """Slots that take turns among several streams, for example pictures of both sides."""

    def __init__(self, streams: Sequence[ClipStream]):
        """Take streams that were made for their share of the slots."""
        self._streams = streams
        self.num_frames = sum(s.num_frames for s in streams)

    def slot(self, index: int, start: Position = (0, 0)) -> Iterator[tuple[Position, Sample]]:
        """Yield the samples of a slot for ever, from a position on, each with its own position."""
        number, stream = divmod(index, len(self._streams))
        return self._streams[stream].slot(number, start)
