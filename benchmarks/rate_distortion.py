"""
What encoding and number of instances cost and are worth: bytes per second against AMOTA and mAP, as JSON and picture.

    python benchmarks/rate_distortion.py --weights mini --data data/test --json benchmarks/results/rate.json \
        --picture docs/rate_distortion.png

An interrupted measurement goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluation import evaluate

ENCODINGS = ('float32', 'float16', 'int8')
CAPS = (64, 32, 16, 8, 4, 2)
PAPER_BYTES_PER_SECOND = {'10 Hz, R50': 2.85e5, '2 Hz, R101': 5.64e4}


def measure(args: argparse.Namespace, encoding: str, cap: int) -> dict:
    """Return figures and bytes of one setting."""
    measured = evaluate('--data', *args.data, '--weights', args.weights, '--mode', 'cooperative',
                        '--encoding', encoding, '--max-instances', cap)
    return {'mAP': measured['vehicle']['mAP'], 'AMOTA': measured['vehicle']['AMOTA'],
            'serialized_bytes_per_second': measured['serialized_bytes_per_second'],
            'instances_per_frame': measured['instances_per_frame']}


def draw(path: Path, rows: dict[str, dict]) -> None:
    """Write AMOTA and mAP over bytes per second, a line per encoding."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(11, 4.2), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, 2), ('AMOTA', 'mAP'), strict=True):
        for encoding, colour in zip(ENCODINGS, LINE_COLOURS):
            points = sorted((r['serialized_bytes_per_second'] / 1e3, r[name], key.split()[1])
                            for key, r in rows.items() if key.startswith(f'{encoding} '))
            axes.plot([p[0] for p in points], [p[1] for p in points], 'o-', color=colour, label=encoding)
            for x, y, cap in points:
                axes.annotate(cap, (x, y), textcoords='offset points', xytext=(4, -11), fontsize=7, color=colour)
        axes.set_xlabel('kB/s as serialized, 10 Hz (numbers: at most so many instances)')
        axes.set_ylabel(name)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)


def main() -> int:
    """Measure what is missing, write it, draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, required=True)
    parser.add_argument('--jobs', type=int, default=2)
    args = parser.parse_args()
    from cooptrack_ros.core.types import Side
    from cooptrack_ros.model.store import open_model
    package = open_model(args.weights)
    identity = '-'.join(package.model_id(side) for side in (Side.ROADSIDE, Side.COOPERATIVE))
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    rows = found.get('rows', {}) if found.get('model') == identity else {}
    wanted = [('float32', CAPS[0]), *(('float16', cap) for cap in CAPS), *(('int8', cap) for cap in CAPS)]
    missing = [w for w in wanted if f'{w[0]} {w[1]}' not in rows]
    with ThreadPoolExecutor(args.jobs) as pool:
        for (encoding, cap), row in zip(missing, pool.map(lambda w: measure(args, *w), missing), strict=True):
            rows[f'{encoding} {cap}'] = row
            args.json.write_text(json.dumps({'model': identity, 'rows': rows}, indent=1), encoding='utf-8')
    draw(args.picture, rows)
    print('| encoding | instances | kB/s | mAP | AMOTA |\n|---|---|---|---|---|')
    for key, row in rows.items():
        encoding, cap = key.split()
        print(f'| {encoding} | {cap} | {row["serialized_bytes_per_second"] / 1e3:.1f} | {row["mAP"]:.3f} '
              f'| {row["AMOTA"]:.3f} |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
