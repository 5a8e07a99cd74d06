"""
What cooperation is worth for the bytes that it takes: AMOTA and mAP of late fusion, CoopTrack and BEV fusion.

    python benchmarks/bytes_curve.py --weights mini --data data/test_1 --json benchmarks/results/bytes_curve.json \
        --picture docs/bytes_curve.png

CoopTrack sends its features in each encoding; BEV fusion sends all cells, or those that the unit is most confident of.
Rows that are in the JSON file already, for the same weights and data, are not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from evaluation import cell, evaluate, kept

FIGURES = ('mAP', 'AMOTA', 'AMOTP', 'IDS')
SHARES = (64, 16, 4)
"""A sparse message holds this part of the cells, a 64th and so on."""
BYTES = ('payload_bytes_per_second', 'serialized_bytes_per_second')
LINES = {'none': ('none',), 'late': ('late',),
         'CoopTrack': ('CoopTrack int8', 'CoopTrack float16', 'CoopTrack float32'),
         'BEV fusion': (*(f'BEV fusion 1/{n}' for n in SHARES), 'BEV fusion'),
         'BEV fusion, AB3DMOT': (*(f'BEV fusion, AB3DMOT 1/{n}' for n in SHARES), 'BEV fusion, AB3DMOT')}
"""Rows of each line of the picture, from few bytes to many."""


def settings(map_bytes: int) -> dict[str, tuple]:
    """Return the options of each row; :param map_bytes: of a whole map of BEV features in float32."""
    rows = {'none': ('--mode', 'none'), 'late': ('--mode', 'late')}
    rows |= {f'CoopTrack {e}': ('--mode', 'cooperative', '--encoding', e) for e in ('int8', 'float16', 'float32')}
    for name, mode in (('BEV fusion', 'bev_fusion'), ('BEV fusion, AB3DMOT', 'bev_fusion_ab3dmot')):
        rows |= {f'{name} 1/{n}': ('--mode', mode, '--bev-budget', map_bytes // n) for n in SHARES}
        rows[name] = '--mode', mode
    return rows


def draw(path: Path, rows: dict[str, dict]) -> None:
    """Write AMOTA and mAP over bytes per second; what needs none is a level."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(11, 4.2), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, 2), ('AMOTA', 'mAP'), strict=True):
        for (line, keys), colour in zip(LINES.items(), LINE_COLOURS):
            points = [rows[k] for k in keys if k in rows]
            if line == 'none' and points:
                axes.axhline(points[0][name], color=colour, linestyle=':', label='vehicle alone')
            elif points:
                kilobytes = [p[BYTES[1]] / 1e3 for p in points]
                axes.plot(kilobytes, [p[name] for p in points], 'o-', color=colour, label=line)
        axes.set_xscale('log')
        axes.set_xlabel('kB/s as serialized')
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path)


def table(rows: dict[str, dict]) -> list[str]:
    """Return a markdown table."""
    heads = 'mode', "kB/s, paper's count", 'kB/s, serialized', *FIGURES
    lines = [f"| {' | '.join(heads)} |", '|---' * len(heads) + '|']
    for name, row in rows.items():
        figures = [cell(row[f], row['spread'][f], 1 if f == 'IDS' else 3) for f in FIGURES]
        lines.append(f'| {name} | {" | ".join(f"{row[b] / 1e3:.1f}" for b in BYTES)} | {" | ".join(figures)} |')
    return lines


def main() -> int:
    """Measure what is missing, write it, draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini', help='model with a BEV fusion')
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    args = parser.parse_args()
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.weights.store import open_model
    package = open_model(args.weights)
    rows_of_map, columns_of_map = package.config.bev_size
    identity = {'model': '-'.join(package.model_id(side) for side in Side if package.has(side)),
                'fusion': package.card.get('bev_fusion', {}).get('sha256'),
                'data': [folder.name for folder in args.data], 'limit': args.limit}
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    rows = found.get('rows', {}) if {k: found.get(k) for k in identity} == identity else {}
    limit = () if args.limit is None else ('--limit', args.limit)
    for name, options in settings(4 * package.config.embed_dims * rows_of_map * columns_of_map).items():
        if name in rows or (options[1] == 'cooperative' and not package.has(Side.COOPERATIVE)):
            continue
        measured = evaluate('--data', *args.data, '--weights', args.weights, *limit, *options)
        rows[name] = {**kept(measured, FIGURES), **{b: measured[b] for b in BYTES}}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({**identity, 'rows': rows}, indent=1), encoding='utf-8')
        print(table({name: rows[name]})[-1], file=sys.stderr, flush=True)
    draw(args.picture, rows)
    print('\n'.join(table(rows)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
