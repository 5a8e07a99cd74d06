"""The log of a training: one JSON line per report, and TensorBoard where it is installed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ..common.files import write_atomically
from .syncl.mechanism import SYNCL_FIGURES

LOG_NAME = 'log.jsonl'
TENSORBOARD_NAME = 'tensorboard'
FIGURES = ('lr', 'grad_norm', *SYNCL_FIGURES)
"""What a log tells beside losses."""


class Means:
    """Mean losses and figures of some steps."""

    def __init__(self):
        """Start with none."""
        self._steps, self._losses = 0, defaultdict(float)
        self._figures: dict[str, list[float]] = defaultdict(list)

    def add(self, losses: Mapping[str, float], figures: Mapping[str, float]) -> None:
        """Add a step; a loss that it has not counts as 0, a figure that it has not does not count."""
        self._steps += 1
        for name, value in losses.items():
            self._losses[name] += value
        for name, value in figures.items():
            self._figures[name].append(value)

    def take(self) -> dict[str, float]:
        """Return the means and start again."""
        means = {name: total / self._steps for name, total in self._losses.items()}
        means |= {name: sum(values) / len(values) for name, values in self._figures.items()}
        self.__init__()
        return means


class Journal:
    """Writes ``log.jsonl`` and ``tensorboard/`` of a run folder."""

    def __init__(self, folder: Path, step: int):
        """Open the log to go on after a step; what was logged later is dropped, because it is done again."""
        path = folder / LOG_NAME
        if path.is_file():
            lines = path.read_text(encoding='utf-8').splitlines()
            kept = [line for line in lines if line.endswith('}') and json.loads(line)['step'] <= step]
            write_atomically(path, ''.join(f'{line}\n' for line in kept))
        self._lines = path.open('a', encoding='utf-8')
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._board = None
        else:
            self._board = SummaryWriter(str(folder / TENSORBOARD_NAME), purge_step=step + 1)

    def write(self, step: int, elapsed_s: float, means: Mapping[str, float]) -> None:
        """Write the mean losses and figures of the steps since the last report."""
        rounded = {k: float(f'{v:.5g}') for k, v in means.items()}
        self._lines.write(json.dumps({'step': step, 'elapsed_s': round(elapsed_s, 1), **rounded}) + '\n')
        self._lines.flush()
        if self._board:
            for name, value in means.items():
                self._board.add_scalar(name if name in FIGURES else f'loss/{name}', value, step)

    def close(self) -> None:
        """Write what is pending."""
        self._lines.close()
        if self._board:
            self._board.close()
