"""Repeated timing: several actions in turn, so that a busy machine disturbs all alike; statistics with the tail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from .machine import synchronize


def statistics_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99, worst and mean in milliseconds."""
    values = np.asarray(seconds) * 1e3
    points = {f'p{q}': float(np.percentile(values, q)) for q in (50, 95, 99)}
    return {k: round(v, 4) for k, v in {**points, 'worst': float(values.max()), 'mean': float(values.mean())}.items()}


class Stopwatch:
    """Collects durations by name."""

    def __init__(self, device: torch.device | None = None):
        """Start empty; :param device: is waited for before and after what is timed."""
        self._device = device or torch.device('cpu')
        self.seconds: dict[str, list[float]] = {}

    def time(self, name: str, action: Callable[[], Any]) -> Any:
        """Run an action, note how long it took, return its result."""
        synchronize(self._device)
        started = time.perf_counter()
        result = action()
        synchronize(self._device)
        self.add(name, time.perf_counter() - started)
        return result

    def add(self, name: str, seconds: float) -> None:
        """Note a duration that was measured elsewhere."""
        self.seconds.setdefault(name, []).append(seconds)

    def clear(self) -> None:
        """Forget everything, as after warming up."""
        self.seconds.clear()

    def statistics(self) -> dict[str, dict[str, float]]:
        """Return the statistics of each name."""
        return {name: statistics_ms(values) for name, values in self.seconds.items()}


def in_turn(actions: Mapping[str, Callable[[], Any]], turn: int, stopwatch: Stopwatch) -> dict[str, Any]:
    """
    Time every action once and return their results.

    :param turn: number of the round; each begins with another action, so that none always follows the same one.
    """
    names = list(actions)
    first = turn % len(names)
    return {name: stopwatch.time(name, actions[name]) for name in [*names[first:], *names[:first]]}
