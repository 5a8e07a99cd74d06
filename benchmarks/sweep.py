"""
Time of a step against roadside instances, units, queries and image size, as JSON and picture.

    python benchmarks/sweep.py --json benchmarks/results/sweep.json --picture docs/sweep.png

What is compared runs in turn, frame by frame, in one process. An interrupted sweep goes on with the next panel.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from steps import settled, store

from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.bench.model import PATHS, Repeats
from cooptrack_ros.bench.scene import BenchScene
from cooptrack_ros.bench.timing import Stopwatch, in_turn
from cooptrack_ros.common.config import named_config
from cooptrack_ros.common.types import Side
from cooptrack_ros.tracking.execution import make_tracker

SCHEMA = 'cooptrack-bench-sweep/2'


@dataclass(frozen=True)
class Point:
    """One value of what is varied: what is received, and changes of the configuration."""

    value: int
    instances: int = 0
    units: int = 1
    changes: dict[str, Any] = field(default_factory=dict)


PANELS: dict[str, tuple[str, Side, list[Point]]] = {
    'instances': ('roadside instances, one unit', Side.COOPERATIVE, [Point(n, n) for n in (0, 16, 64, 256)]),
    'units': ('roadside units, 16 instances each', Side.COOPERATIVE, [Point(n, 16, n) for n in (1, 2, 3, 4)]),
    'queries': ('queries', Side.VEHICLE, [Point(n, changes={'num_queries': n}) for n in (150, 300, 600, 900)]),
    'image size': ('network input, columns (16 : 9)', Side.VEHICLE, [
        Point(w, changes={'input_size': (h, w)}) for w, h in ((480, 288), (704, 416), (960, 544), (1408, 800))])}
"""What is varied: its name on the axis, and the points."""


def measure(varied: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the times of both paths at every point of a panel."""
    _, side, points = PANELS[varied]
    scenes, trackers, states = {}, {}, {}
    for point in points:
        config = replace(named_config(args.config), **point.changes)
        scene = BenchScene(config, side, instances=point.instances, units=point.units)
        network = settled(config, scene, args.device)
        for path in PATHS:
            name = f'{point.value} {path}'
            trackers[name] = make_tracker(copy.deepcopy(network), config, side, args.device, path)
            scenes[name], states[name] = scene, trackers[name].initial()
    repeats, watch = Repeats.default(args.device), Stopwatch(torch.device(args.device))
    for index in range(repeats.warmup + (args.frames or repeats.frames)):
        if index == repeats.warmup:
            watch.clear()
        given = {name: (scene.frame(index), scene.messages(index)) for name, scene in scenes.items()}
        done = in_turn({name: partial(tracker.step, states[name], *given[name])
                        for name, tracker in trackers.items()}, index, watch)
        states = {name: state for name, (state, _) in done.items()}
    times = watch.statistics()
    return [{'varied': varied, 'value': point.value,
             'times_ms': {path: times[f'{point.value} {path}'] for path in PATHS}} for point in points]


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write p50 (line) and p99 (upper end of the bar) of both paths, a panel for everything that is varied."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(14, 3.8), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, (varied, (label, _, _)) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        shown = [r for r in rows if r['varied'] == varied]
        for name, colour in zip(PATHS, LINE_COLOURS):
            x = [r['value'] for r in shown]
            times = [r['times_ms'][name] for r in shown]
            above = [t['p99'] - t['p50'] for t in times]
            axes.errorbar(x, [t['p50'] for t in times], yerr=[[0] * len(x), above], fmt='o-', capsize=3, color=colour,
                          label=name)
        axes.set_xticks([r['value'] for r in shown])
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel('ms a step: p50, bar to p99')
    figure.axes[0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> int:
    """Measure what is missing, write it, draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='r50')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--frames', type=int, help='timed frames (default: as cooptrack bench model)')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    setting = {'schema': SCHEMA, 'config': args.config, 'device': args.device, 'threads': args.threads}
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    if any(found.get(name) != value for name, value in setting.items()):
        found = {**setting, 'machine': describe_machine(args.device), 'rows': []}
    for varied in PANELS:
        if any(row['varied'] == varied for row in found['rows']):
            continue
        found['rows'] += measure(varied, args)
        print(varied, ', '.join(f"{r['value']}: {r['times_ms']['fast']['p50']:.1f} ms" for r in found['rows']
                                if r['varied'] == varied), flush=True)
        store(args.json, found)
    draw(args.picture, found['rows'])
    return 0


if __name__ == '__main__':
    sys.exit(main())
