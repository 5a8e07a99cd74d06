"""
The modes at several rates of frames side by side, on the same scenes.

    python benchmarks/rates.py --weights mini --data data/test_1 --json benchmarks/results/rates.json

``--weights-at HZ=MODEL`` measures a rate with another model, such as one that was trained at it
(``cooptrack train ... --hz 2``). Rows that are in the JSON file already, for the same weights and data, are not
measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from evaluation import cell, evaluate, kept

FIGURES = ('mAP', 'AMOTA', 'IDS')
RATES_HZ = (10, 2)
MODES = ('none', 'late', 'late_ab3dmot', 'cooperative', 'bev_fusion', 'bev_fusion_ab3dmot')
RATE = 'payload_bytes_per_second'


def table(rows: dict[str, dict]) -> list[str]:
    """Return a markdown table with the figures of each rate side by side; what is not measured yet is empty."""
    names = [f'{name} at {hz} Hz' for name in (*FIGURES, 'kB/s') for hz in RATES_HZ]
    lines = [f"| mode | {' | '.join(names)} |", '|---' * (1 + len(names)) + '|']
    for mode in MODES:
        found = [rows.get(f'{mode} {hz}') for hz in RATES_HZ]
        if any(found):
            cells = [cell(r[f], r['spread'][f], 1 if f == 'IDS' else 3) if r else '' for f in FIGURES for r in found]
            cells += [f'{r[RATE] / 1e3:.1f}' if r else '' for r in found]
            lines.append(f"| {mode} | {' | '.join(cells)} |")
    return lines


def main() -> int:
    """Measure what is missing, write it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--weights-at', nargs='*', default=[], metavar='HZ=MODEL')
    parser.add_argument('--modes', nargs='+', choices=MODES, default=list(MODES))
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='at most so many frames per data set and rate')
    args = parser.parse_args()
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.weights.store import open_model
    weights = dict.fromkeys(RATES_HZ, args.weights) | {
        int(hz): model for hz, _, model in (given.partition('=') for given in args.weights_at)}
    models = {hz: open_model(name) for hz, name in weights.items()}
    identity = {'models': {str(hz): '-'.join(m.model_id(s) for s in Side if m.has(s)) for hz, m in models.items()},
                'data': [folder.name for folder in args.data], 'limit': args.limit}
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    rows = found.get('rows', {}) if {k: found.get(k) for k in identity} == identity else {}
    limit = () if args.limit is None else ('--limit', args.limit)
    for hz in RATES_HZ:
        for mode in args.modes:
            lacks = (mode == 'cooperative' and not models[hz].has(Side.COOPERATIVE)) or (
                mode.startswith('bev_fusion') and 'bev_fusion' not in models[hz].card)
            if f'{mode} {hz}' in rows or lacks:
                continue
            measured = evaluate('--data', *args.data, '--weights', weights[hz], '--mode', mode, '--hz', hz, *limit)
            rows[f'{mode} {hz}'] = {**kept(measured, FIGURES), RATE: measured[RATE]}
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps({**identity, 'rows': rows}, indent=1), encoding='utf-8')
            print(f'{mode} at {hz} Hz: {rows[f"{mode} {hz}"]["AMOTA"]}', file=sys.stderr, flush=True)
    print('\n'.join(table(rows)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
