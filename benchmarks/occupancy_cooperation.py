"""
Voxels of the vehicle alone and together with roadside units, by delay of what units send: as JSON and picture.

    python benchmarks/occupancy_cooperation.py --weights mini --data data/test \
        --json benchmarks/results/occupancy_cooperation.json --picture docs/occupancy_delay.png

Measured where the vehicle sees nothing and a unit does (``unit_only``), and where the vehicle sees itself; ``alone`` is
its cooperative network without messages, which with ``method.cooperation: additions`` is the vehicle's. Features and
voxels are delayed alike and moved by geometry, as in the ego node. What units find is computed once. An interrupted
measurement goes on; settings that were measured with the same weights are not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCHEMA = 'cooptrack-occupancy-cooperation/1'
ALONE = 'alone'
DELAYS_MS = (0, 100, 200, 300, 400, 500)
FIGURES = ('OccSTQ', 'OccSQ', 'OccAQ')
MASKS = ('unit_only', 'camera')
CONVENTIONS = ('strict', 'released')


class KnownVoxels:
    """Voxels of units, found once for every data set."""

    def __init__(self, heads):
        """Take what finds them."""
        self._heads, self._known = heads, {}

    def voxels(self, dataset, records):
        """Return those of the units in some frames, see ``eval.occupancy.units.UnitHeads``."""
        if dataset.root not in self._known:
            self._known[dataset.root] = self._heads.voxels(dataset, records)
        return self._known[dataset.root]


class Bench:
    """The vehicle with its head, the units with theirs, and the data."""

    def __init__(self, args: argparse.Namespace):
        """Open everything; raise a UserError for a model without heads."""
        from cooptrack_ros.common.errors import UserError
        from cooptrack_ros.common.types import Side
        from cooptrack_ros.data.folders import open_datasets
        from cooptrack_ros.eval.occupancy.run import TrackedSource
        from cooptrack_ros.eval.occupancy.units import UnitHeads
        from cooptrack_ros.eval.runner import Evaluation
        from cooptrack_ros.eval.selection import Selection
        from cooptrack_ros.weights.store import open_model
        from cooptrack_ros.wire.features import transmission
        package = open_model(args.weights)
        readers = {side: package.occupancy(side) for side in (Side.COOPERATIVE, Side.ROADSIDE)}
        if None in readers.values():
            raise UserError(f"model '{package.name}' needs occupancy heads for its cooperative and roadside weights")
        self.datasets, self.selection = open_datasets(args.data), Selection(limit=args.limit, hz=args.hz)
        self.evaluation = Evaluation(self.datasets, package, self.selection,
                                     transmission('float16', True, 900, package.sender().complete))
        self.source = TrackedSource(package.tracker(Side.COOPERATIVE), readers[Side.COOPERATIVE])
        self.units = KnownVoxels(UnitHeads(package.tracker(Side.ROADSIDE), readers[Side.ROADSIDE]))
        self.identity = {
            'schema': SCHEMA, 'model': '-'.join(package.model_id(side) for side in Side),
            'heads': package.card['occupancy']['sha256'][:16], 'grid': readers[Side.COOPERATIVE].profile,
            'data': [folder.name for folder, _ in self.datasets], 'limit': args.limit, 'hz': args.hz}

    def measure(self, delay_ms: int | None) -> dict[str, Any]:
        """Return the figures with a delay, None: of the vehicle alone."""
        from cooptrack_ros.data.rate import frame_rate_hz
        from cooptrack_ros.eval.channel import Channel
        from cooptrack_ros.eval.occupancy.run import measure
        from cooptrack_ros.eval.runner import payload_of
        started, sent, arrivals = time.monotonic(), [], None
        if delay_ms is not None:
            link = self.evaluation.under(Channel(latency_ms=float(delay_ms)), False)

            def arrivals(folder, dataset, records):
                for messages in link.arrivals(folder, dataset, records):
                    sent.extend(map(payload_of, messages))
                    yield messages
        together = delay_ms is not None
        measured = measure(self.source, self.datasets, self.selection, arrivals=arrivals,
                           units=self.units if together else None, only=('cooperative' if together else 'tracker',))
        rate = frame_rate_hz([r.stamp_us for r in self.selection.records(d)] for _, d in self.datasets)
        scores, = measured.results().values()
        per_second = rate / max(measured.frames, 1)
        return {mask: {name: {k: scores[mask][name][k] for k in FIGURES} for name in CONVENTIONS} for mask in MASKS} | {
            'frames': measured.frames, 'label_hash': measured.label_hash,
            'feature_bytes_per_second': round(sum(sent) * per_second, 1),
            'voxel_bytes_per_second': round(measured.voxel_bytes * per_second, 1),
            'minutes': round((time.monotonic() - started) / 60, 2)}


def settings() -> dict[str, int | None]:
    """Return delays by name; None: without units."""
    return {ALONE: None} | {f'{ms} ms': ms for ms in DELAYS_MS}


def draw(path: Path, rows: Mapping[str, Mapping[str, Any]], grid: str) -> None:
    """Write the three figures over the delay, where only units see and where the vehicle sees."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(12, 3.8), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    lines = [('unit_only', 'together', 'only the unit sees: together', 'o-'),
             ('unit_only', ALONE, 'only the unit sees: vehicle alone', '--'),
             ('camera', 'together', 'the vehicle sees: together', 's-'),
             ('camera', ALONE, 'the vehicle sees: vehicle alone', ':')]
    for axes, name in zip(figure.subplots(1, len(FIGURES)), FIGURES, strict=True):
        for (mask, who, label, style), colour in zip(lines, (*LINE_COLOURS[:1] * 2, *LINE_COLOURS[1:2] * 2)):
            delays = [(key, ms) for key, ms in settings().items() if ms is not None and key in rows]
            values = [rows[ALONE if who == ALONE else key][mask]['strict'][name]
                      for key, _ in delays if who != ALONE or ALONE in rows]
            points = [(ms, v) for (_, ms), v in zip(delays, values) if v is not None]
            axes.plot([ms for ms, _ in points], [v for _, v in points], style, color=colour, label=label)
        axes.set_xlabel('delay of features and voxels, ms')
        axes.set_ylabel(f'{name}, strict, grid {grid}')
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path)


def table(rows: Mapping[str, Mapping[str, Any]], convention: str) -> str:
    """Return what was measured as a Markdown table."""
    from cooptrack_ros.common.figures import figure_text
    names = [f'{figure}, {mask}' for mask in MASKS for figure in FIGURES]
    lines = [f'| {convention} | {" | ".join(names)} | features kB/s | voxels kB/s |', '|---' * (len(names) + 3) + '|']
    for key in settings():
        if key in rows:
            row = rows[key]
            values = [figure_text(row[mask][convention][figure]) for mask in MASKS for figure in FIGURES]
            kilobytes = [f"{row[f'{what}_bytes_per_second'] / 1e3:.1f}" for what in ('feature', 'voxel')]
            lines.append(f'| {key} | {" | ".join(values + kilobytes)} |')
    return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, write it after each setting, draw, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='at most so many frames per data set (a short version)')
    parser.add_argument('--hz', type=int, help='take so many frames a second (default: all)')
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args(arguments)
    import torch

    from cooptrack_ros.common.errors import UserError
    from cooptrack_ros.common.files import write_atomically
    torch.set_num_threads(args.threads)
    try:
        bench = Bench(args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    rows = found.get('rows', {}) if {k: found.get(k) for k in bench.identity} == bench.identity else {}
    for key, delay_ms in settings().items():
        if key not in rows:
            rows[key] = bench.measure(delay_ms)
            args.json.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(args.json, json.dumps({**bench.identity, 'rows': rows}, indent=1) + '\n')
            print(f"{key}: {rows[key]['unit_only']['strict']} ({rows[key]['minutes']:.1f} min)", flush=True)
    draw(args.picture, rows, bench.identity['grid'])
    for convention in CONVENTIONS:
        print(f'\n{table(rows, convention)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
