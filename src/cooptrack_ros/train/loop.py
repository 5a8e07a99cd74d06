"""The optimisation loop that every stage shares: schedule, accumulation, checkpoints, progress."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from ..common.errors import UserError
from .checkpoint import read_training, write_training
from .clips import Position, Sample
from .feed import Place, Stream, feed
from .losses import Terms, combine, divisors
from .ranks import Ranks
from .recipe import TrainConfig
from .run_log import Journal, Means

CHECKPOINT_NAME = 'checkpoint.pt'
REPORT_EVERY = 20
"""Steps between two lines of the log."""


class Stage(Protocol):
    """What the loop trains: modules, and the losses of the next frame of each slot."""

    modules: nn.ModuleDict

    def losses(self, slots: Sequence[int], samples: Sequence[Sample]) -> list[Terms]:
        """Return the losses of one frame each of some slots."""

    def figures(self) -> dict[str, float]:
        """Return what else of the last losses belongs in the log."""

    def cut(self) -> None:
        """Let no gradient flow into what is remembered."""

    def memory(self) -> dict[int, dict]:
        """Return by slot all that the next losses depend on besides weights and samples: tensors, numbers, texts."""

    def restore(self, memory: dict[int, dict]) -> None:
        """Go on with what ``memory`` returned."""


def parameter_groups(network: nn.Module, config: TrainConfig) -> list[dict]:
    """Return optimiser groups: backbone and encoder of clouds with their own factors, the rest; no frozen ones."""
    factors = {'backbone': config.backbone_lr_factor, 'lidar.encoder': config.modalities.encoder_lr_factor}
    groups = {'': {'params': [], 'factor': 1.0}}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            part = next((part for part in factors if part in name), '')
            groups.setdefault(part, {'params': [], 'factor': factors.get(part)})['params'].append(parameter)
    return [groups[part] for part in ('', *factors) if part in groups]


def learning_rate(config: TrainConfig, step: int, fraction: float) -> float:
    """Return the rate at a step: linear warm-up from a third, then cosine over the run (method.md 13.7)."""
    low = config.learning_rate * config.final_lr_factor
    rate = low + (config.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))
    if step < config.warmup_steps:
        rate *= 1 / 3 + 2 / 3 * step / config.warmup_steps
    if fraction < config.warmup_share:
        rate *= 1 / 3 + 2 / 3 * fraction / config.warmup_share
    return rate


class TrainLoop:
    """
    Runs a stage to its number of steps or its time budget; resumes from its last checkpoint.

    With a number of steps, a run that was killed and resumed ends with the same bits as one that was not. Several
    processes (``Ranks``) share the slots of a batch; the first one writes checkpoint and log.
    """

    def __init__(self, stage: Stage, stream: Stream, config: TrainConfig, folder: Path,
                 minutes: float | None = None, ranks: Ranks | None = None, workers: int = 0):
        """
        Prepare the optimiser; with ``minutes`` the schedule follows the clock and ends there.

        :param workers: processes that prepare frames.
        :raises UserError: if the processes cannot share the batch, or a process its part, evenly.
        """
        self.stage, self.config, self.folder, self.minutes = stage, config, folder, minutes
        self._ranks = ranks or Ranks()
        if config.batch_size % (self._ranks.count * config.grad_accum_steps):
            raise UserError(f'batch_size ({config.batch_size}) must be a multiple of processes '
                            f'({self._ranks.count}) x grad_accum_steps ({config.grad_accum_steps})')
        self._groups = parameter_groups(stage.modules, config)
        self._parameters = [p for g in self._groups for p in g['params']]
        self._optimiser = torch.optim.AdamW(self._groups, lr=config.learning_rate, weight_decay=config.weight_decay)
        self._scaler = torch.amp.GradScaler(self._ranks.device.split(':')[0], enabled=config.precision == 'float16')
        self.step = 0
        self.elapsed_s = 0.0
        self.waited_s = 0.0
        """Part of the time since this object was made that steps waited for their frames."""
        slots = self._ranks.slots(config.batch_size)
        self._positions: dict[int, Position] = dict.fromkeys(slots, (0, -1))
        torch.manual_seed(config.seed + self._ranks.rank)
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._feed = feed(stream, self._positions, workers)

    @property
    def fraction(self) -> float:
        """Share of the run that is done."""
        by_steps = self.step / self.config.steps
        return by_steps if self.minutes is None else max(by_steps, self.elapsed_s / (60 * self.minutes))

    def run(self, report=None, time_limit_minutes: float | None = None) -> bool:
        """
        Train to the end, or until the time limit is reached; a checkpoint is left in both cases.

        :param report: ``report(step, fraction, means)`` is called every 20 steps with losses, ``grad_norm`` and ``lr``.
        :returns: whether the run is complete.
        """
        means = Means()
        ends = math.inf if time_limit_minutes is None else time.monotonic() + 60 * time_limit_minutes
        journal = Journal(self.folder, self.step) if self._ranks.rank == 0 else None
        while self.fraction < 1 and self._ranks.agree(time.monotonic() < ends):
            started = time.monotonic()
            losses, figures = self._one_step()
            self.elapsed_s = self._ranks.agree(self.elapsed_s + time.monotonic() - started)
            self.step += 1
            means.add(losses, figures)
            if self.step % REPORT_EVERY == 0:
                found = means.take()
                if journal:
                    journal.write(self.step, self.elapsed_s, found)
                if report:
                    report(self.step, self.fraction, found)
            if self.step % self.config.checkpoint_every == 0:
                self.save()
        self.save()
        if journal:
            journal.close()
        return self.fraction >= 1

    def _one_step(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return losses and figures."""
        rate = learning_rate(self.config, self.step, self.fraction)
        for group in self._optimiser.param_groups:
            group['lr'] = rate * group['factor']
        self._optimiser.zero_grad(set_to_none=True)
        drawn = [self._next() for _ in range(self.config.clip_grad_frames)]
        parts = self.config.grad_accum_steps
        share = len(drawn[0]) // parts
        values = defaultdict(float)
        for i in range(parts):
            terms = []
            for frames in drawn:
                part = frames[i * share:(i + 1) * share]
                terms += self.stage.losses([slot for (slot, _, _), _ in part], [sample for _, sample in part])
            losses = combine(terms, self._ranks.sum(divisors(terms)))
            self._scaler.scale(sum(losses.values()) / parts).backward()
            for name, value in losses.items():
                values[name] += float(value.detach()) / parts
        self._ranks.sum_gradients(self._parameters)
        self._scaler.unscale_(self._optimiser)
        norm = float(nn.utils.clip_grad_norm_(self._parameters, self.config.clip_norm))
        if self._scaler.is_enabled() or math.isfinite(norm):
            # The scaler leaves out steps that are not finite by itself.
            self._scaler.step(self._optimiser)
        self._scaler.update()
        self.stage.cut()
        return self._ranks.sum(values), {**self.stage.figures(), 'grad_norm': norm, 'lr': rate}

    def _next(self) -> Sequence[tuple[Place, Sample]]:
        """Return the next frame of every slot."""
        asked = time.monotonic()
        drawn = next(self._feed)
        self.waited_s += time.monotonic() - asked
        self._positions = {slot: (number, frame) for (slot, number, frame), _ in drawn}
        return drawn

    def save(self) -> None:
        """Write the checkpoint atomically."""
        own = {'positions': self._positions, 'memory': self.stage.memory(), 'rng': torch.get_rng_state()}
        parts = self._ranks.gather(own)
        if not parts:
            return
        path = self.folder / CHECKPOINT_NAME
        write_training(path, {
            'modules': self.stage.modules.state_dict(), 'optimiser': self._optimiser.state_dict(),
            'scaler': self._scaler.state_dict(), 'step': self.step, 'elapsed_s': self.elapsed_s,
            'positions': {k: v for part in parts for k, v in part['positions'].items()},
            'memory': {k: v for part in parts for k, v in part['memory'].items()},
            'rng': [part['rng'] for part in parts], 'config': json.dumps(asdict(self.config))})

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT_NAME
        if not path.is_file():
            return
        saved = read_training(path)
        self.stage.modules.load_state_dict(saved['modules'])
        self._optimiser.load_state_dict(saved['optimiser'])
        self._scaler.load_state_dict(saved['scaler'])
        self.step, self.elapsed_s = saved['step'], saved['elapsed_s']
        self._positions = {slot: saved['positions'][slot] for slot in self._positions}
        self.stage.restore({slot: saved['memory'][slot] for slot in self._positions if slot in saved['memory']})
        if len(saved['rng']) == self._ranks.count:
            torch.set_rng_state(saved['rng'][self._ranks.rank])
