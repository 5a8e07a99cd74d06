"""The optimisation loop that every stage shares: schedule, accumulation, checkpoints, progress."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from .clips import Position, Sample
from .recipe import TrainConfig

LOG_NAME = 'log.jsonl'


class Stage(Protocol):
    """What the loop trains: modules, and the losses of the next frame of one slot."""

    modules: nn.ModuleDict

    def losses(self, samples: Sequence[Sample]) -> Iterator[dict[str, Tensor]]:
        """Yield weighted losses that are each differentiated on their own; sample i belongs to slot i."""

    def memory(self) -> dict:
        """Return all that the next losses depend on besides weights and samples: tensors, numbers and texts."""

    def restore(self, memory: dict) -> None:
        """Go on with what ``memory`` returned."""


class Stream(Protocol):
    """Where the samples of each slot come from."""

    def slot(self, index: int, start: Position = (0, 0)) -> Iterator[tuple[Position, Sample]]:
        """Yield (position, sample) for ever, from a position on."""


def parameter_groups(network: nn.Module, config: TrainConfig) -> list[dict]:
    """Return optimiser groups: backbone with its own factor, everything else; frozen parameters left out."""
    backbone, other = [], []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            (backbone if 'backbone' in name else other).append(parameter)
    groups = [{'params': other, 'factor': 1.0}]
    if backbone:
        groups.append({'params': backbone, 'factor': config.backbone_lr_factor})
    return groups


def learning_rate(config: TrainConfig, step: int, fraction: float) -> float:
    """Return the rate at a step: linear warm-up from a third, then cosine over the run (13.7)."""
    low = config.learning_rate * config.final_lr_factor
    rate = low + (config.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))
    if step < config.warmup_steps:
        rate *= 1 / 3 + 2 / 3 * step / config.warmup_steps
    return rate


class TrainLoop:
    """
    Runs a stage to its number of steps or its time budget; resumes from its last checkpoint.

    With a number of steps, a run that was killed and resumed ends with the same bits as one that was not.
    """

    def __init__(self, stage: Stage, stream: Stream, config: TrainConfig, folder: Path,
                 minutes: float | None = None):
        """Prepare the optimiser; with ``minutes`` the schedule follows the clock and ends there."""
        self.stage, self.config, self.folder, self.minutes = stage, config, folder, minutes
        self._optimiser = torch.optim.AdamW(
            parameter_groups(stage.modules, config), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.step = 0
        self.elapsed_s = 0.0
        self._positions: list[Position] = [(0, -1)] * config.batch_slots
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._slots = [stream.slot(i, (clip, frame + 1)) for i, (clip, frame) in enumerate(self._positions)]

    @property
    def fraction(self) -> float:
        """Share of the run that is done."""
        by_steps = self.step / self.config.steps
        return by_steps if self.minutes is None else max(by_steps, self.elapsed_s / (60 * self.minutes))

    def run(self, report=None, slice_minutes: float | None = None) -> bool:
        """
        Train to the end, or until a slice of time is over; a checkpoint is left in both cases.

        :param report: ``report(step, fraction, means)`` is called every 20 steps.
        :returns: whether the run is complete.
        """
        sums, count = defaultdict(float), 0
        ends = math.inf if slice_minutes is None else time.monotonic() + 60 * slice_minutes
        with (self.folder / LOG_NAME).open('a', encoding='utf-8') as log:
            while self.fraction < 1 and time.monotonic() < ends:
                started = time.monotonic()
                losses = self._one_step()
                self.elapsed_s += time.monotonic() - started
                self.step += 1
                for name, value in losses.items():
                    sums[name] += value
                count += 1
                if self.step % 20 == 0:
                    means = {k: v / count for k, v in sums.items()}
                    row = {'step': self.step, 'elapsed_s': round(self.elapsed_s, 1), **{
                        k: round(v, 4) for k, v in means.items()}}
                    log.write(json.dumps(row) + '\n')
                    log.flush()
                    if report:
                        report(self.step, self.fraction, means)
                    sums, count = defaultdict(float), 0
                if self.step % self.config.checkpoint_every == 0:
                    self.save()
        self.save()
        return self.fraction >= 1

    def _one_step(self) -> dict[str, float]:
        rate = learning_rate(self.config, self.step, self.fraction)
        for group in self._optimiser.param_groups:
            group['lr'] = rate * group['factor']
        self._optimiser.zero_grad(set_to_none=True)
        values = defaultdict(float)
        drawn = [next(slot) for slot in self._slots]
        self._positions = [position for position, _ in drawn]
        for losses in self.stage.losses([sample for _, sample in drawn]):
            sum(torch.nan_to_num(v) for v in losses.values()).backward()
            for name, value in losses.items():
                values[name] += float(value.detach())
        values['grad_norm'] = float(nn.utils.clip_grad_norm_(
            [p for g in self._optimiser.param_groups for p in g['params']], self.config.clip_norm))
        if math.isfinite(values['grad_norm']):
            self._optimiser.step()
        return values

    def save(self) -> None:
        """Write the checkpoint atomically."""
        path = self.folder / 'checkpoint.pt'
        temporary = path.with_suffix('.part')
        torch.save({
            'modules': self.stage.modules.state_dict(), 'optimiser': self._optimiser.state_dict(), 'step': self.step,
            'elapsed_s': self.elapsed_s, 'positions': self._positions, 'rng': torch.get_rng_state(),
            'memory': self.stage.memory(), 'config': json.dumps(asdict(self.config))}, temporary)
        temporary.replace(path)

    def _resume(self) -> None:
        path = self.folder / 'checkpoint.pt'
        if not path.is_file():
            return
        saved = torch.load(path, map_location='cpu', weights_only=True)
        self.stage.modules.load_state_dict(saved['modules'])
        self._optimiser.load_state_dict(saved['optimiser'])
        self.step, self.elapsed_s = saved['step'], saved['elapsed_s']
        self._positions = saved['positions']
        self.stage.restore(saved['memory'])
        torch.set_rng_state(saved['rng'])
        self._cut_log()

    def _cut_log(self) -> None:
        """Drop what was logged after the checkpoint, because those steps are done again."""
        path = self.folder / LOG_NAME
        if path.is_file():
            lines = path.read_text(encoding='utf-8').splitlines()
            kept = [line for line in lines if line.endswith('}') and json.loads(line)['step'] <= self.step]
            path.write_text(''.join(f'{line}\n' for line in kept), encoding='utf-8')
