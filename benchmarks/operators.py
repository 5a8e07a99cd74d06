"""
Which operators the time of the fast step goes to, by the profiler of PyTorch.

    python benchmarks/operators.py --config r50 --threads 2 --json benchmarks/results/operators_r50.json
    python benchmarks/operators.py --config mini --side cooperative --threads 1 \
        --json benchmarks/results/operators_mini.json

The profiler takes time for every operator, so that small ones look dearer than they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'src'))

import torch  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from cooptrack_ros.bench.machine import describe_machine  # noqa: E402
from cooptrack_ros.bench.networks import bench_network, settle_live_tracks  # noqa: E402
from cooptrack_ros.bench.scene import BenchScene  # noqa: E402
from cooptrack_ros.core.config import named_config  # noqa: E402
from cooptrack_ros.core.execution import make_tracker  # noqa: E402
from cooptrack_ros.core.quantize import activation_ranges  # noqa: E402
from cooptrack_ros.core.types import Side  # noqa: E402

SCHEMA = 'cooptrack-bench-operators/1'
_WARMUP = 4


def measure(config_name: str, side: Side, execution: str, frames: int) -> dict[str, Any]:
    """Return the operators of a step with their calls and the time spent in themselves, dearest first."""
    config = named_config(config_name)
    scene = BenchScene(config, side, (1920, 1080), 16 if side is Side.COOPERATIVE else 0)
    network = bench_network(config, side, None)
    settle_live_tracks(make_tracker(network, config, side, execution='reference'), scene, 30)
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
    return {'schema': SCHEMA, 'config': config_name, 'side': side.value, 'execution': execution,
            'input_size': list(config.input_size), 'frames': frames, 'machine': machine,
            'total_ms': sum(row['ms'] for row in rows), 'rows': rows}


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='r50')
    parser.add_argument('--side', type=Side, choices=list(Side), default=Side.VEHICLE)
    parser.add_argument('--execution', choices=['fast', 'int8'], default='fast')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--frames', type=int, default=5)
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    result = measure(args.config, args.side, args.execution, args.frames)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1), encoding='utf-8')
    for row in result['rows'][:15]:
        print(f"{row['ms']:8.2f} ms {row['calls']:7.1f} x {row['operator']}")
    return 0


if __name__ == '__main__':
    sys.exit(main())
