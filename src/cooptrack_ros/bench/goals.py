"""What was aimed at, and which results say how far it was reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

Result = Mapping[str, Any]
PAPER_WIDTH = 256
PAPER_BYTES_PER_INSTANCE = 4 * (3 * PAPER_WIDTH + 3)
"""Features and one point in float32 (CoopTrack, table 1)."""


class Goal(NamedTuple):
    """A limit for a number that each of some results holds."""

    name: str
    limit: float
    is_least: bool
    results: tuple[str, ...]
    value: Callable[[Result], float]

    def reached(self, result: Result) -> bool:
        """Tell whether a result keeps the limit."""
        value = self.value(result)
        return value >= self.limit if self.is_least else value <= self.limit


def _most(name: str, limit: float, results: Iterable[str], value: Callable[[Result], float]) -> Goal:
    return Goal(name, limit, False, tuple(results), value)


def _codec(result: Result, encoding: str) -> Result:
    """Return the row of compact messages of the published width."""
    return next(r for r in result['rows'] if (r['width'], r['encoding'], r['compact']) == (PAPER_WIDTH, encoding, True))


def _both_ways(result: Result) -> float:
    times = _codec(result, 'float16')['times_ms']
    return times['encode']['p50'] + times['decode']['p50']


_SIDES = ('vehicle', 'roadside', 'cooperative')
_R50 = [f'model_r50_{side}' for side in _SIDES]
_FASTEST = ['model_r50_vehicle', 'model_r50_vehicle_int8']
_GPU = [f'model_r50_{side}_gpu' for side in _SIDES]
_LONG = ('node_ego_long', 'node_roadside_long')

GOALS = (
    _most('reference over its own backbone, r50', 2.4, _R50, lambda r: r['reference_over_backbone']),
    _most('step over the eager float32 backbone, r50 on a CPU', 0.75, _FASTEST, lambda r: r['step_over_backbone']),
    Goal('reference over step, r50 on a CPU', 2.5, True, tuple(_FASTEST), lambda r: r['speedup']),
    _most('step of mini on one thread, ms', 80, [f'model_mini_{side}' for side in _SIDES], lambda r: r['fast_ms']),
    _most('step of r50 on a GPU, p50 in ms', 10, _GPU, lambda r: r['fast_ms']),
    Goal('reference over step, r50 on a GPU', 5, True, tuple(_GPU), lambda r: r['speedup']),
    _most('encode and decode 64 instances (float16, compact, 256 channels), ms', 1, ['codec'], _both_ways),
    _most("bytes of an instance (int8, compact) over the paper's", 0.25, ['codec'],
          lambda r: _codec(r, 'int8')['bytes_per_instance'] / PAPER_BYTES_PER_INSTANCE),
    _most('message to tracks outside the network, images at 10 Hz, ms', 15,
          ['node_ego_mini_10_hz', 'node_roadside_mini_10_hz'], lambda r: r['outside_ms']),
    Goal('share of images answered, both nodes at 10 Hz on one machine', 0.99, True, ('both_nodes',),
         lambda r: min(node['answered_share'] for node in r['arms'][r['default']]['nodes'].values())),
    _most('start to first output, s', 10, ['node_ego_mini', 'node_roadside_mini'], lambda r: r['start_s']),
    _most('growth of memory over 10,000 frames, MiB', 20e6 / 2 ** 20, _LONG, lambda r: r['memory']['growth_mib']),
    _most('growth of p99 over 10,000 frames', 0.1, _LONG, lambda r: r['p99_growth']),
    _most('share of a training step that waits for data', 0.05, ['train_mini_workers_1'], lambda r: r['wait_share']))
