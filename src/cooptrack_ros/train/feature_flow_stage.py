"""Training of the feature flow on what roadside units sent (method.md 15.3); neither images nor labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..common.errors import UserError
from ..common.types import InstanceSet, RoadsideMessage
from ..cooperation.compensation import HISTORY_S, boxes_in_frame_of, fitted_velocities, moving
from ..cooperation.feature_flow import FeatureFlow, Rates, flow_state
from ..data.dataset import OpenedData, recordings
from .clips import Position
from .losses import Term
from .recipe import TrainConfig

MAX_STEPS = 5
"""Frames from a message to the one that it is compared with, at most: 500 ms at 10 Hz."""
_FRAMES_PER_STEP = 96
_ALONE = 0.15
"""Share of the messages that are given without the one before them, as after a loss or at first sight."""
_FEATURES = ('semantic', 'motion', 'position_embedding')
_POSITION_WEIGHT = 0.3
_HELD_OUT = 10
"""Every tenth data set is left out of the training and measures it."""


@dataclass(frozen=True)
class Timeline:
    """
    The messages of one sequence, in order, with their stamps in microseconds.

    ``poses`` (4, 4) are those of the unit in the world; without any it stands still.
    """

    stamps_us: tuple[int, ...]
    sets: tuple[InstanceSet, ...]
    poses: tuple[np.ndarray, ...] = ()

    def message(self, at: int, back: int) -> RoadsideMessage:
        """Return a message after every ``back``-th one of the second before it; with 0, after none."""
        first = self.stamps_us[at] - HISTORY_S * 1e6
        before = [k for k in range(at - back, -1, -back) if self.stamps_us[k] >= first][::-1] if back else []
        return self._plain(at, tuple(self._plain(k) for k in before))

    def _plain(self, at: int, earlier: tuple[RoadsideMessage, ...] = ()) -> RoadsideMessage:
        pose = self.poses[at] if self.poses else np.eye(4)
        return RoadsideMessage('', 1000 * self.stamps_us[at], self.sets[at], pose, earlier)


@dataclass(frozen=True)
class FlowBatch:
    """N instances with a later message of the same track."""

    state: Tensor
    """See ``cooperation.feature_flow.flow_state``."""
    age: Tensor
    """(N,) seconds to the later message."""
    now: tuple[Tensor, ...]
    """Semantic, motion and embedding (N, C) as sent."""
    later: tuple[Tensor, ...]
    """The same in the later message."""
    velocity: Tensor
    """(N, 2) m/s that the flow adds to."""
    geometry: Tensor
    """(N, 2) m/s that instances are moved by without a flow."""
    moved: Tensor
    """(N, 2) m to the place in the later message, unit frame."""


def timelines(datasets: OpenedData, messages: dict[tuple[str, str], InstanceSet]) -> list[Timeline]:
    """Return the messages of every sequence of every unit; :param messages: by recording and roadside token."""
    found = []
    for name, dataset in recordings(datasets, 'infrastructure-side'):
        for sequence in dataset.sequences():
            sent = {record.stamp_us: (messages[name, record.token], record.global_from_lidar)
                    for record in dataset.records('infrastructure-side', sequence) if (name, record.token) in messages}
            stamps = tuple(sorted(sent))
            found.append(Timeline(stamps, *(tuple(sent[stamp][i] for stamp in stamps) for i in (0, 1))))
    return [t for t in found if len(t.sets) > 1]


def make_batch(parts: Sequence[tuple[Timeline, int, int, int]]) -> FlowBatch:
    """Return the pairs of (timeline, place of a message, steps to the later one, steps between earlier ones or 0)."""
    columns: list[list[np.ndarray]] = [[] for _ in range(11)]
    for line, at, ahead, back in parts:
        message, later = line.message(at, back), line.message(at + ahead, 0)
        later_boxes, later = boxes_in_frame_of(message, later), later.instances
        now = message.instances
        _, rows, others = np.intersect1d(now.boxes.track_id, later.boxes.track_id, return_indices=True)
        age = np.full(len(rows), (line.stamps_us[at + ahead] - line.stamps_us[at]) / 1e6)
        moved = later_boxes.centre[others, :2] - now.boxes.centre[rows, :2]
        fit = fitted_velocities(message)
        velocity = fit[0][rows]
        for column, values in zip(columns, (
                flow_state(message, fit)[rows], age, *(getattr(now, f)[rows] for f in _FEATURES),
                *(getattr(later, f)[others] for f in _FEATURES), velocity, moving(velocity), moved), strict=True):
            column.append(values)
    state, age, *rest = (torch.from_numpy(np.concatenate(c).astype(np.float32)) for c in columns)
    return FlowBatch(state, age, tuple(rest[:3]), tuple(rest[3:6]), *rest[6:])


class FlowStream:
    """Endless, repeatable batches; the position of a stream is the number of the batch."""

    def __init__(self, lines: Sequence[Timeline], seed: int):
        """Take the sequences to draw from."""
        if not lines:
            raise UserError('the messages hold no sequence of at least two frames')
        self._lines, self._seed = lines, seed

    @property
    def num_frames(self) -> int:
        """Messages to learn from."""
        return sum(len(line.sets) for line in self._lines)

    def positions(self, slot: int, start: Position = (0, 0)) -> Iterator[Position]:
        """Yield the batches of a slot, for ever, from a position on."""
        number = start[0] + (start[1] > 0)
        while True:
            yield number, 0
            number += 1

    def sample(self, slot: int, position: Position) -> FlowBatch:
        """Return a batch."""
        random = np.random.default_rng([self._seed, slot, position[0]])
        parts = []
        for _ in range(_FRAMES_PER_STEP):
            line = self._lines[random.integers(len(self._lines))]
            at = int(random.integers(len(line.sets) - 1))
            ahead = int(random.integers(1, min(MAX_STEPS, len(line.sets) - 1 - at) + 1))
            # Mostly the frame before; a longer way back after losses or from a slow unit.
            back = int(random.choice((1, 2, 3, 5), p=(0.7, 0.1, 0.1, 0.1))) if random.random() >= _ALONE else 0
            parts.append((line, at, ahead, back))
        return make_batch(parts)


class FlowStage:
    """What a flow should say: the features and the place of the same track some frames later."""

    def __init__(self, width: int, config: TrainConfig, held_out: Sequence[Timeline] = ()):
        """
        Create an untrained flow.

        :param held_out: sequences that tell what it is worth, see ``measure``.
        """
        torch.manual_seed(config.seed)
        self.held_out = held_out
        self.flow = FeatureFlow(width)
        self.modules = nn.ModuleDict({'flow': self.flow})
        self.modules.train()

    def losses(self, slots: Sequence[int], samples: Sequence[FlowBatch]) -> list[dict[str, Term]]:
        """Return the losses of a batch of each slot: direction and size of features, metres of positions."""
        return [self._losses(batch) for batch in samples]

    def _losses(self, batch: FlowBatch) -> dict[str, Term]:
        rates, age, n = self.flow(batch.state, batch.age), batch.age[:, None], len(batch.age)
        terms = {}
        for name, now, later, rate in zip(_FEATURES, batch.now, batch.later, rates):
            expected = now + age * rate
            size = F.smooth_l1_loss(expected, later, reduction='none').mean(1)
            terms[name] = Term((1 - F.cosine_similarity(expected, later) + size).sum(), n)
        off = (age * (batch.velocity + rates.velocity) - batch.moved).norm(dim=1)
        return {**terms, 'position': Term(_POSITION_WEIGHT * off.sum(), n)}

    def figures(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def cut(self) -> None:
        """Do nothing."""

    def memory(self) -> dict[int, dict]:
        """Return nothing: batches have no past."""
        return {}

    def restore(self, memory: dict[int, dict]) -> None:
        """Do nothing."""


def split(lines: Sequence[Timeline]) -> tuple[list[Timeline], list[Timeline]]:
    """Return the sequences to learn from and those to measure on."""
    held_out = [line for i, line in enumerate(lines) if i % _HELD_OUT == _HELD_OUT - 1]
    return [line for i, line in enumerate(lines) if i % _HELD_OUT != _HELD_OUT - 1], held_out


@torch.inference_mode()
def measure(flow: FeatureFlow, lines: Sequence[Timeline]) -> dict[str, dict[str, float]]:
    """
    Return errors by age in ms, without compensation, with geometry, and with the flow.

    Positions: mean distance in metres; features: mean of 1 - cosine between what was expected and what came.
    """
    figures = {}
    for ahead in range(1, MAX_STEPS + 1):
        parts = [(line, at, ahead, min(at, 1)) for line in lines for at in range(len(line.sets) - ahead)]
        if not parts:
            continue
        batch = make_batch(parts)
        rates: Rates = flow(batch.state, batch.age)
        age = batch.age[:, None]
        steps = {'none': torch.zeros_like(batch.moved), 'geometry': age * batch.geometry,
                 'flow': age * (batch.velocity + rates.velocity)}
        row = {f'position_m_{k}': float((s - batch.moved).norm(dim=1).mean()) for k, s in steps.items()}
        for name, now, later, rate in zip(_FEATURES, batch.now, batch.later, rates):
            for kind, expected in (('none', now), ('flow', now + age * rate)):
                row[f'{name}_{kind}'] = float((1 - F.cosine_similarity(expected, later)).mean())
        figures[str(100 * ahead)] = {k: round(v, 4) for k, v in row.items()}
    return figures

