"""
Which operators the time of the fast step goes to, by the profiler of PyTorch.

    python benchmarks/operators.py --config r50 --threads 2 --json benchmarks/results/operators_r50.json
    python benchmarks/operators.py --config mini --side cooperative --threads 1 \
        --json benchmarks/results/operators_mini.json

The profiler takes time for every operator, so that small ones look dearer than they are.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from steps import prepared, step_arguments, store
from torch.profiler import ProfilerActivity, profile

from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.tracking.execution import make_tracker
from cooptrack_ros.weights.int8_ranges import activation_ranges

SCHEMA = 'cooptrack-bench-operators/1'
_WARMUP = 8
"""Frames until the graphs of the fast path are made."""


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return the operators of a step with their calls and the time spent in themselves, dearest first."""
    config, scene, network = prepared(args)
    side, execution, frames = args.side, args.execution, args.frames
    clip = map(scene.frame, range(_WARMUP))
    ranges = activation_ranges(network, config, side, [clip]) if execution == 'int8' else None
    machine = describe_machine()
    tracker = make_tracker(network, config, side, execution=execution, ranges=ranges)
    state = tracker.initial()
    for index in range(_WARMUP):
        state, _ = tracker.step(state, scene.frame(index), scene.messages(index))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for index in range(_WARMUP, _WARMUP + frames):
            state, _ = tracker.step(state, scene.frame(index), scene.messages(index))
    rows = sorted(({'operator': e.key, 'calls': e.count / frames, 'ms': e.self_cpu_time_total / frames / 1e3}
                   for e in profiler.key_averages()), key=lambda row: -row['ms'])
    return {'schema': SCHEMA, 'config': args.config, 'side': side.value, 'execution': execution,
            'input_size': list(config.input_size), 'frames': frames, 'machine': machine,
            'total_ms': sum(row['ms'] for row in rows), 'rows': rows}


def main() -> int:
    """Measure and write."""
    parser = step_arguments(__doc__, 5)
    parser.add_argument('--execution', choices=['fast', 'int8'], default='fast')
    args = parser.parse_args()
    result = measure(args)
    store(args.json, result)
    for row in result['rows'][:15]:
        print(f"{row['ms']:8.2f} ms {row['calls']:7.1f} x {row['operator']}")
    return 0


if __name__ == '__main__':
    sys.exit(main())
