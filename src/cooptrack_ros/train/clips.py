"""Training data as endless streams of short clips (method.md 13.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

import numpy as np

from ..common.config import ModelConfig
from ..common.errors import UserError
from ..common.types import Boxes, InstanceSet, RoadsideMessage, Sensors, Side
from ..data.dataset import DataSet, FrameRecord, OpenedData, in_classes, recordings
from ..data.rate import thinned
from ..model.image.preprocess import least_size
from ..tracking.frame_records import TrackerInput
from .augment import mirror_boxes, mirror_frame, with_modalities
from .frame_tensors import targets_of, tracker_input
from .matching import Targets
from .recipe import TrainConfig
from .unreliable_link import message_for

RECORD_SIDE = {Side.VEHICLE: 'vehicle-side', Side.ROADSIDE: 'infrastructure-side', Side.COOPERATIVE: 'cooperative'}

Position = tuple[int, int]
"""Where a slot is: number of its clip, frame in that clip."""


@dataclass(frozen=True)
class Sample:
    """One prepared training frame: network input, objects in range in the agent's lidar frame, a received message."""

    inputs: TrackerInput
    targets: Targets
    message: RoadsideMessage | None = None


@dataclass(frozen=True)
class Item:
    """A frame and the name of its recording."""

    recording: str
    record: FrameRecord


def target_boxes(record: FrameRecord, model: ModelConfig, side: Side) -> Boxes:
    """
    Return the labelled objects of a record that count as training targets, with the labels of the model.

    Classes of data set and model belong together by name; objects of a class that the model does not have are left
    out. The centre must be strictly inside the bird's-eye square of the range, height ignored.
    """
    boxes, pc_range = in_classes(record.boxes, record.classes, model.class_names), model.range_of(side).pc_range
    x, y = boxes.centre[:, 0], boxes.centre[:, 1]
    return boxes[(x > pc_range[0]) & (x < pc_range[3]) & (y > pc_range[1]) & (y < pc_range[4])]


def training_frames(dataset: DataSet, side: str, hz: int) -> list[FrameRecord]:
    """Return the records of a side that are fit for training, by sequence and time; :param hz: of these, 0: all."""
    records = sorted(dataset.training_records(side), key=lambda r: (r.sequence, r.stamp_us))
    return [r for _, part in groupby(records, lambda r: r.sequence) for r in thinned(list(part), hz, dataset.root)]


class ClipStream:
    """
    Endless, repeatable streams of frames, one per slot.

    Slot g of G takes clips g, g + G, ... of an endless row of random permutations of all clips; inside a
    clip frames keep their order. A stream's position is two numbers, so that a run can resume; every frame can be
    prepared on its own, so that several processes can.

    Each of several roadside units of a folder gives clips of its own, of its frames or of the vehicle's pairs with it,
    with the labels of that pair: the network learns from one message a frame, as it fuses units one after the other.
    """

    def __init__(self, datasets: OpenedData, side: Side, model: ModelConfig, config: TrainConfig,
                 messages: dict[tuple[str, str], InstanceSet] | None = None, clouds: bool = False):
        """
        Index the frames; ``messages`` maps (recording, roadside token) to what the unit sent.

        :param clouds: give point clouds too, and leave out sensors as the recipe says.
        """
        self._model, self._config, self._side, self._clouds = model, config, side, clouds
        self._messages = messages
        items = []
        for name, dataset in recordings(datasets, RECORD_SIDE[side]):
            items += [Item(name, r) for r in training_frames(dataset, RECORD_SIDE[side], config.hz)]
        length = config.clip_length
        clips = [items[i:i + length] for i in range(0, len(items), length)]
        self._clips = [[i for i in clip if self.teaches(i.record)] for clip in clips]
        self._clips = [clip for clip in self._clips if clip]
        if not self._clips:
            raise UserError(f'the training data holds no frame with {self.lessons}')
        self.num_frames = sum(map(len, self._clips))

    lessons = 'a labelled object in range'
    """What a frame must have to be learned from."""

    def teaches(self, record: FrameRecord) -> bool:
        """Tell whether a frame has it."""
        return len(target_boxes(record, self._model, self._side)) > 0

    def positions(self, slot: int, start: Position = (0, 0)) -> Iterator[Position]:
        """Yield where a slot goes, for ever, from a position on."""
        number, first = start
        while True:
            yield from ((number, frame) for frame in range(first, len(self._clip(slot, number))))
            number, first = number + 1, 0

    def sample(self, slot: int, position: Position) -> Sample:
        """Return the frame at a position of a slot; its random numbers depend on nothing else."""
        number, frame = position
        config, seed = self._config, self._config.seed
        mirror = np.random.default_rng([seed, 2, slot, number]).random() < config.augment.mirror_probability
        rng = np.random.default_rng([seed, 3, slot, number, frame])
        return self._sample(self._clip(slot, number), frame, mirror, rng, [seed, 4, slot, number])

    def _clip(self, slot: int, number: int) -> list[Item]:
        return self._clips[place_in_epoch(self._config, slot, number, len(self._clips))]

    def _sample(self, clip: list[Item], number: int, mirror: bool, rng: np.random.Generator,
                link_seed: list[int]) -> Sample:
        item = clip[number]
        record = item.record
        frame = record.frame(least=least_size(self._model), sensors=Sensors.BOTH if self._clouds else Sensors.CAMERA)
        frame = replace(frame, sequence=f'{item.recording}/{record.sequence}')
        if self._clouds:
            frame = with_modalities(frame, self._config.modalities.lidar_off, self._config.modalities.camera_off, rng)
        boxes = target_boxes(record, self._model, self._side)
        message = None
        if self._messages is not None:
            if mirror:
                raise ValueError('messages cannot be mirrored')
            records = [i.record for i in clip[:number + 1]
                       if (i.recording, i.record.sequence) == (item.recording, record.sequence)]
            message = message_for(records, number, len(clip), lambda token: self._messages[item.recording, token],
                                  self._config.link, link_seed)
        if mirror:
            frame, boxes = mirror_frame(frame), mirror_boxes(boxes)
        inputs = tracker_input(frame, self._side, self._model, self._config.augment, rng)
        return Sample(inputs, targets_of(boxes), message)


def place_in_epoch(config: TrainConfig, slot: int, number: int, count: int) -> int:
    """
    Return which of ``count`` items a slot takes as its ``number``-th one.

    Slot g of G takes items g, g + G, ... of an endless row of random permutations.
    """
    epoch, place = divmod(slot + number * config.batch_size, count)
    return int(_permutation(config.seed, epoch, count)[place])


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, 1, epoch]).permutation(count)


class MixedStream:
    """Slots that take turns among several streams, for example images of both sides."""

    def __init__(self, streams: Sequence[ClipStream]):
        """Take streams that were made for their share of the slots."""
        self._streams = streams
        self.num_frames = sum(s.num_frames for s in streams)

    def positions(self, slot: int, start: Position = (0, 0)) -> Iterator[Position]:
        """Yield where a slot goes, for ever, from a position on."""
        number, stream = divmod(slot, len(self._streams))
        return self._streams[stream].positions(number, start)

    def sample(self, slot: int, position: Position) -> Sample:
        """Return the frame at a position of a slot."""
        number, stream = divmod(slot, len(self._streams))
        return self._streams[stream].sample(number, position)
