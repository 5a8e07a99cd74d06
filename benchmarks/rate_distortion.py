"""
What encoding, leaving out embeddings and the number of instances cost and are worth, as JSON and picture.

    python benchmarks/rate_distortion.py --weights mini --data data/test --json benchmarks/results/rate.json \
        --picture docs/rate_distortion.png

Bytes are those of serialized messages. What the two networks make of the images is computed once for all settings,
and a limit that no message reaches is not measured again. An interrupted measurement goes on; with other weights it
starts again.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation import cell

CAPS = (64, 32, 16, 8, 4, 2)
_FULL_CAPS = (64, 32, 16)
"""Smaller ones for compact messages only: leaving out embeddings costs the same for any number."""


@dataclass(frozen=True)
class Setting:
    """One way to send."""

    encoding: str
    compact: bool
    max_instances: int

    def __str__(self) -> str:
        """Return the name in tables and in the JSON."""
        return f'{self.encoding} {"compact" if self.compact else "full"} {self.max_instances}'


class Link:
    """Sends instances as the present setting says; the settings of one evaluation share what comes before."""

    def __init__(self, sender):
        """Start without a setting; ``largest`` is the largest number of instances in a message since the last one."""
        self._sender, self._transmit, self.largest = sender, None, 0

    def use(self, setting: Setting) -> None:
        """Change the setting."""
        from cooptrack_ros.wire.features import transmission
        self._transmit = transmission(setting.encoding, setting.compact, setting.max_instances,
                                      self._sender.complete)
        self.largest = 0

    def __call__(self, instances):
        """Return what arrives, and its bytes."""
        arrived, size = self._transmit(instances)
        self.largest = max(self.largest, len(arrived))
        return arrived, size


def measure(evaluation) -> dict:
    """Return figures and bytes of the present setting."""
    from cooptrack_ros.eval import report
    result, cost = evaluation.run('cooperative')
    measured = report.measure(result)
    figures, spread = measured['vehicle'], report.spread(report.by_scene(result, measured))
    return {'mAP': figures['mAP'], 'AMOTA': figures['AMOTA'],
            'spread_over': f"{spread['number']} {spread['over']}",
            'spread': {k: spread['vehicle'][k] for k in ('mAP', 'AMOTA')},
            'instances_per_frame': cost.instances / cost.frames,
            'serialized_bytes_per_second': cost.serialized_bytes / cost.frames * result['frame_rate_hz']}


def draw(path: Path, rows: dict[str, dict]) -> None:
    """Write AMOTA and mAP over bytes per second, a line per encoding; compact ones are filled."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    from cooptrack_ros.wire.features import ENCODINGS
    figure = Figure(figsize=(11, 4.2), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, 2), ('AMOTA', 'mAP'), strict=True):
        for encoding, colour in zip(ENCODINGS, LINE_COLOURS):
            for kind, style, fill in (('full', 'o--', 'none'), ('compact', 'o-', colour)):
                # Limits that no message reaches are one point.
                points: dict[tuple[float, float], list[str]] = {}
                for key, r in rows.items():
                    if key.startswith(f'{encoding} {kind} '):
                        place = r['serialized_bytes_per_second'] / 1e3, r[name]
                        points.setdefault(place, []).append(key.split()[2])
                places = sorted(points)
                axes.plot([p[0] for p in places], [p[1] for p in places], style, color=colour,
                          markerfacecolor=fill, label=f'{encoding}, {kind}')
                for place in places if kind == 'compact' else ():
                    least = f'{"≥ " if len(points[place]) > 1 else ""}{points[place][-1]}'
                    axes.annotate(least, place, textcoords='offset points', xytext=(5, -11), fontsize=7, color=colour)
        axes.set_xlabel('kB/s as serialized, 10 Hz (numbers: at most so many instances)')
        axes.set_ylabel(name)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path)


def table(rows: dict[str, dict]) -> list[str]:
    """Return a markdown table."""
    lines = ['| encoding | message | at most | instances per frame | kB/s | AMOTA | mAP |', '|---' * 7 + '|']
    for key, row in rows.items():
        figures = [cell(row[f], row.get('spread', {}).get(f)) for f in ('AMOTA', 'mAP')]
        lines.append(f'| {" | ".join(key.split())} | {row["instances_per_frame"]:.1f} '
                     f'| {row["serialized_bytes_per_second"] / 1e3:.1f} | {" | ".join(figures)} |')
    return lines


def main() -> int:
    """Measure what is missing, write it, draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    args = parser.parse_args()
    import torch

    from cooptrack_ros.common.types import Side
    from cooptrack_ros.data.folders import open_datasets
    from cooptrack_ros.eval.runner import Evaluation
    from cooptrack_ros.eval.selection import Selection
    from cooptrack_ros.weights.store import open_model
    from cooptrack_ros.wire.features import ENCODINGS
    torch.set_num_threads(1)
    package = open_model(args.weights)
    identity = {'model': '-'.join(package.model_id(side) for side in (Side.ROADSIDE, Side.COOPERATIVE)),
                'data': [folder.name for folder in args.data], 'limit': args.limit}
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    rows = found.get('rows', {}) if {k: found.get(k) for k in identity} == identity else {}
    link = Link(package.sender())
    evaluation = Evaluation(open_datasets(args.data), package, Selection('val', args.limit), link,
                            caches_bev=True)
    # The largest messages first: an interrupted run has compared the encodings.
    wanted = [Setting(e, c, n) for n in CAPS for c in (True, False) for e in ENCODINGS if c or n in _FULL_CAPS]
    for setting in wanted:
        if str(setting) in rows:
            continue
        more = rows.get(str(replace(setting, max_instances=CAPS[0])))
        if more and more['largest_message'] <= setting.max_instances:
            rows[str(setting)] = more
            continue
        link.use(setting)
        rows[str(setting)] = {**measure(evaluation), 'largest_message': link.largest}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({**identity, 'rows': rows}, indent=1), encoding='utf-8')
        print(table({str(setting): rows[str(setting)]})[-1], file=sys.stderr, flush=True)
        draw(args.picture, rows)
    draw(args.picture, rows)
    print('\n'.join(table(rows)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
