"""Comparison of arrays and its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Tolerances:
    """Largest absolute differences (golden README) and relative error ||ours - golden|| / ||golden||."""

    features: float = 5e-4
    logits: float = 5e-4
    scores: float = 5e-5
    points: float = 3e-5
    boxes: float = 2e-3
    final_boxes: float = 5e-3
    affinity: float = 3e-4
    affinity_visible: float = 1e-3
    relative: float = 1e-4
    followed: float = 2e-4
    """Of a single row of motion features once a track is followed for several frames: its history adds up."""


TOLERANCES = Tolerances()


@dataclass(frozen=True)
class Result:
    """One compared array; ``verdict`` is ok, tie (a discrete difference that a near-tie explains) or FAIL."""

    array: str
    max_abs: float
    relative: float
    verdict: str
    note: str = ''


def as_array(value) -> np.ndarray:
    """Return an array of a tensor or anything array-like."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


@dataclass
class Comparison:
    """Collects results under a name prefix."""

    results: list[Result] = field(default_factory=list)
    prefix: str = ''

    def within(self, prefix: str) -> Comparison:
        """Return a view that adds a prefix to names."""
        return Comparison(self.results, f'{self.prefix}{prefix}/')

    def close(self, name: str, ours, golden, max_abs: float, relative: float | None = None) -> None:
        """Compare floats; ``relative`` None leaves the relative error unchecked."""
        ours, golden = as_array(ours).astype(np.float64), as_array(golden).astype(np.float64)
        if ours.shape != golden.shape:
            self.fail(name, f'shape {ours.shape} instead of {golden.shape}')
            return
        difference = np.abs(ours - golden)
        largest = float(difference.max(initial=0.0))
        error = float(np.linalg.norm(difference) / max(np.linalg.norm(golden), 1e-12))
        # Written such that NaN fails.
        good = bool(largest <= max_abs) and (relative is None or bool(error <= relative))
        self.results.append(Result(self.prefix + name, largest, error, 'ok' if good else 'FAIL'))

    def close_rows(self, name: str, ours, golden, max_abs: float, one_row: float) -> None:
        """
        Compare floats (N, C) as ``close`` does, but for one row.

        :param one_row: the relative error that a single row may have, whatever its differences.
        """
        ours, golden = as_array(ours).astype(np.float64), as_array(golden).astype(np.float64)
        if ours.shape == golden.shape and ours.size:
            beyond = np.flatnonzero(~(np.abs(ours - golden).max(axis=1) <= max_abs))
            if len(beyond) == 1:
                row = int(beyond[0])
                error = float(np.linalg.norm(ours[row] - golden[row]) / max(np.linalg.norm(golden[row]), 1e-12))
                if error <= one_row:
                    largest = float(np.abs(ours - golden).max())
                    note = f'relative error of row {row}'
                    self.results.append(Result(self.prefix + name, largest, error, 'ok', note))
                    return
        self.close(name, ours, golden, max_abs)

    def exact(self, name: str, ours, golden, tie: bool = False) -> bool:
        """Compare discrete values; with ``tie`` a difference is reported as such."""
        ours, golden = as_array(ours), as_array(golden)
        same = ours.shape == golden.shape and bool((ours == golden).all())
        if same:
            self.results.append(Result(self.prefix + name, 0.0, 0.0, 'ok'))
        else:
            count = int((ours != golden).sum()) if ours.shape == golden.shape else -1
            note = f'{count} of {golden.size} differ' if count >= 0 else f'shape {ours.shape}, not {golden.shape}'
            self.results.append(Result(self.prefix + name, np.inf, np.inf, 'tie' if tie else 'FAIL', note))
        return same

    def tie(self, name: str, note: str) -> None:
        """Record a discrete difference that a near-tie explains."""
        self.results.append(Result(self.prefix + name, np.inf, np.inf, 'tie', note))

    def fail(self, name: str, note: str) -> None:
        """Record a failure without numbers."""
        self.results.append(Result(self.prefix + name, np.inf, np.inf, 'FAIL', note))


class Arrays:
    """Stored arrays of one module as tensors."""

    def __init__(self, golden: Any, name: str, comparison: Comparison):
        """Select the arrays ``name/*``."""
        self._golden, self._name = golden, name
        self.comparison = comparison.within(name)

    def __getitem__(self, key: str) -> Tensor:
        """Return one stored array."""
        return torch.from_numpy(np.asarray(self._golden[f'{self._name}/{key}']))

    def close(self, key: str, value, max_abs: float, relative: float | None = TOLERANCES.relative) -> None:
        """Compare a value with the stored array of that name."""
        self.comparison.close(key, value, self._golden[f'{self._name}/{key}'], max_abs, relative)

    def exact(self, key: str, value) -> None:
        """Compare a discrete value with the stored array of that name."""
        self.comparison.exact(key, value, self._golden[f'{self._name}/{key}'])
