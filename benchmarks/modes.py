"""
Detection and tracking of all modes on several sets of test scenes, with the spread over the sets.

    python benchmarks/modes.py --weights mini --data data/test_1 data/test_2 data/test_3 \
        --json benchmarks/results/modes.json

Sets that are in the JSON file already, for the same weights, are not measured again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluation import evaluate

FIGURES = ('mAP', 'ATE', 'AOE', 'AVE', 'AMOTA', 'AMOTP', 'recall', 'IDS')
NAMES = {'none': 'none', 'late': 'late', 'late_ab3dmot': 'late, AB3DMOT',
         'late_ab3dmot_dair': 'late, AB3DMOT (1, 21)',
         'distance_association': 'distance association', 'cooperative': 'cooperative',
         'zero_features': 'cooperative, received features zeroed',
         'no_messages': 'cooperative weights without messages'}
ORACLES = {'vehicle': ('none', 'oracle of what the vehicle sees'),
           'cooperative': ('cooperative', 'oracle of what either side sees')}


def measure(weights: str, data: Path) -> dict:
    """Return the figures of every mode on one set."""
    measured = evaluate('--data', data, '--weights', weights, '--mode', 'all')
    return {mode: {**{k: v['vehicle'][k] for k in FIGURES}, 'bytes_per_second': v['payload_bytes_per_second'],
                   'serialized_bytes_per_second': v['serialized_bytes_per_second'], 'frames': v['frames'],
                   'oracle': {k: v['oracle'][k] for k in FIGURES}}
            for mode, v in measured.items()}


def rows_of(sets: list[dict]) -> list[str]:
    """Return a markdown table: the mean over the sets, and the standard deviation over them where it matters."""
    def cell(values: list[float | None], figure: str) -> str:
        known = [v for v in values if v is not None]
        if not known:
            return '-'
        mean = statistics.fmean(known)
        if figure == 'IDS':
            return f'{mean:.1f}'
        spread = f' ± {statistics.stdev(known):.3f}' if figure in ('mAP', 'AMOTA') and len(known) > 1 else ''
        return f'{mean:.3f}{spread}'
    lines = [f'| mode | {" | ".join(FIGURES)} | kB/s |', '|---' * (len(FIGURES) + 2) + '|']
    for mode, name in NAMES.items():
        cells = [cell([s[mode][f] for s in sets], f) for f in FIGURES]
        rate = statistics.fmean(s[mode]['bytes_per_second'] for s in sets) / 1e3
        lines.append(f'| {name} | {" | ".join(cells)} | {rate:.1f} |')
    for mode, name in ORACLES.values():
        cells = [cell([s[mode]['oracle'][f] for s in sets], f) for f in FIGURES]
        lines.append(f'| {name} | {" | ".join(cells)} | |')
    return lines


def main() -> int:
    """Measure what is missing, write it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', default='mini')
    parser.add_argument('--data', nargs='+', type=Path, required=True, help='one folder of scenes per set')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--jobs', type=int, default=2, help='sets at a time')
    args = parser.parse_args()
    from cooptrack_ros.common.types import Side
    from cooptrack_ros.weights.store import open_model
    package = open_model(args.weights)
    identity = '-'.join(package.model_id(side) for side in (Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE))
    found = json.loads(args.json.read_text(encoding='utf-8')) if args.json.is_file() else {}
    sets = found.get('sets', {}) if found.get('model') == identity else {}
    missing = [d for d in args.data if d.name not in sets]
    with ThreadPoolExecutor(args.jobs) as pool:
        for data, figures in zip(missing, pool.map(lambda d: measure(args.weights, d), missing), strict=True):
            sets[data.name] = figures
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps({'model': identity, 'sets': sets}, indent=1), encoding='utf-8')
    print('\n'.join(rows_of([sets[d.name] for d in args.data])))
    return 0


if __name__ == '__main__':
    sys.exit(main())
