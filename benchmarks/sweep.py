"""
Time of a step against roadside instances, units, queries and picture size, as JSON and picture.

    python benchmarks/sweep.py --json benchmarks/results/sweep.json --picture docs/images/sweep.png

An interrupted sweep goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = 'cooptrack-bench-sweep/1'
_VEHICLE, _FUSED = ('--side', 'vehicle'), ('--side', 'cooperative')
SWEEPS: dict[str, tuple[str, list[tuple[str, tuple[object, ...]]]]] = {
    'instances': ('roadside instances, one unit', [
        (str(n), (*_FUSED, '--instances', n)) for n in (0, 16, 64, 256)]),
    'units': ('roadside units, 16 instances each', [
        (str(n), (*_FUSED, '--instances', 16, '--units', n)) for n in (1, 2, 3, 4)]),
    'queries': ('queries', [(str(n), (*_VEHICLE, '--queries', n)) for n in (150, 300, 600, 900)]),
    'image size': ('network input, columns (16 : 9)', [
        (str(w), (*_VEHICLE, '--image-size', f'{w}x{h}'))
        for w, h in ((480, 288), (704, 416), (960, 544), (1408, 800))]),
}
"""What is varied: its name on the axis, and value and options of each measurement."""


def measure(options: tuple[object, ...], args: argparse.Namespace) -> dict[str, Any]:
    """Return the result of ``cooptrack bench model`` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'result.json'
        repeats = ('--frames', args.frames) if args.frames else ()
        words = [sys.executable, '-m', 'cooptrack_ros.cli.main', 'bench', 'model', '--config', args.config,
                 '--device', args.device, '--threads', args.threads, *options, *repeats, '--json', path]
        variables = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT / 'src'), os.environ.get('PYTHONPATH', '')])}
        subprocess.run([str(w) for w in words], check=True, stdout=subprocess.DEVNULL, env=variables)
        return json.loads(path.read_text(encoding='utf-8'))


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write p50 (line) and p99 (upper end of the bar) of both paths, a panel for everything that is varied."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(14, 3.8), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, (varied, (label, _)) in zip(figure.subplots(1, len(SWEEPS)), SWEEPS.items(), strict=True):
        shown = [r for r in rows if r['varied'] == varied]
        for name, colour in zip(('reference', 'fast'), LINE_COLOURS):
            x = [float(r['value']) for r in shown]
            times = [r['result']['times_ms'][name] for r in shown]
            above = [t['p99'] - t['p50'] for t in times]
            axes.errorbar(x, [t['p50'] for t in times], yerr=[[0] * len(x), above], fmt='o-', capsize=3, color=colour,
                          label=name)
        axes.set_xticks([float(r['value']) for r in shown])
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
    sys.path.insert(0, str(ROOT / 'src'))
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    same = (found.get('config'), found.get('device'), found.get('threads')) == (args.config, args.device, args.threads)
    known = {(r['varied'], r['value']): r for r in found.get('rows', [])} if same else {}
    rows = []
    for varied, (_, settings) in SWEEPS.items():
        for value, options in settings:
            row = known.get((varied, value))
            if row is None:
                row = {'varied': varied, 'value': value, 'result': measure(options, args)}
                print(varied, value, f"{row['result']['fast_ms']:.1f} ms", flush=True)
            rows.append(row)
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps({
                'schema': SCHEMA, 'config': args.config, 'device': args.device, 'threads': args.threads,
                'rows': rows}, indent=1), encoding='utf-8')
    draw(args.picture, rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
