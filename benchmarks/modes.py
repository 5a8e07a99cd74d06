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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluation import cell_of, evaluate, kept

FIGURES = ('mAP', 'ATE', 'AOE', 'AVE', 'AMOTA', 'AMOTP', 'recall', 'IDS')
MORE = ('HOTA', 'DetA', 'AssA', 'LocA', 'IDF1', 'AVE_moving')
MOTION = {'heading along': ('heading', 'along', 'median_deg'), 'against': ('heading', 'against', 'median_deg'),
          'across': ('heading', 'across', 'median_deg'),
          'while turning': ('heading_while_turning', 'all', 'median_deg'),
          'modulo pi': ('heading', 'all', 'median_mod_pi_deg'), 'speed ratio': ('velocity', 'moving', 'speed_ratio')}
"""Columns of the second table: medians of a set, errors of heading in degrees; where they stand in ``motion``."""
NAMES = {'none': 'none', 'late': 'late', 'late_ab3dmot': 'late, AB3DMOT',
         'late_ab3dmot_dair': 'late, AB3DMOT (1, 21)',
         'distance_association': 'distance association', 'cooperative': 'cooperative',
         'zero_features': 'cooperative, received features zeroed',
         'no_messages': 'cooperative weights without messages', 'bev_fusion': 'BEV fusion',
         'bev_fusion_ab3dmot': 'BEV fusion, AB3DMOT'}
ORACLES = {'vehicle': ('none', 'oracle of what the vehicle sees'),
           'cooperative': ('cooperative', 'oracle of what either side sees')}


def measure(weights: str, data: Path) -> dict:
    """Return the figures of every mode on one set."""
    measured = evaluate('--data', data, '--weights', weights, '--mode', 'all')
    return {mode: {**kept(v, FIGURES + MORE), **_motion(v['motion']),
                   'bytes_per_second': v['payload_bytes_per_second'],
                   'serialized_bytes_per_second': v['serialized_bytes_per_second'], 'frames': v['frames'],
                   'oracle': {**{k: v['oracle'][k] for k in FIGURES + MORE}, **_motion(v['oracle_motion'])}}
            for mode, v in measured.items()}


def _motion(motion: dict) -> dict:
    return {name: motion[part][group][figure] for name, (part, group, figure) in MOTION.items()}


def rows_of(sets: list[dict]) -> list[str]:
    """Return markdown tables: means over the sets with their standard deviation; the second where the sets have it."""
    measured = [mode for mode in NAMES if all(mode in s for s in sets)]
    has_more = all('HOTA' in s[mode] for s in sets for mode in measured)
    tables = [(FIGURES, True), *([((*MORE, *MOTION), False)] if has_more else [])]
    lines = []
    for figures, with_rate in tables:
        lines += ['', f'| mode | {" | ".join(figures)} |' + ' kB/s |' * with_rate,
                  '|---' * (len(figures) + 1 + with_rate) + '|']
        for mode in measured:
            rate = f' {statistics.fmean(s[mode]["bytes_per_second"] for s in sets) / 1e3:.1f} |' * with_rate
            lines.append(f'| {NAMES[mode]} | {" | ".join(_cells([s[mode] for s in sets], figures))} |{rate}')
        for mode, name in ORACLES.values():
            oracles = [s[mode]['oracle'] for s in sets]
            lines.append(f'| {name} | {" | ".join(_cells(oracles, figures))} |' + ' |' * with_rate)
    return lines[1:]


def _cells(rows: list[dict], figures: Sequence[str]) -> list[str]:
    digits = {'IDS': 1, **{name: 1 for name in MOTION if name != 'speed ratio'}}
    return [cell_of([row[f] for row in rows], digits.get(f, 3)) for f in figures]


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
    fusion = package.card.get('bev_fusion', {}).get('sha256', '')[:16]
    identity = '-'.join([*(package.model_id(side) for side in (Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE)),
                         *filter(None, [fusion])])
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
