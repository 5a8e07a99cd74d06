"""
Train stage 2 with single parts of the method left out, and compare: the paper's Tables 4 and 5.

    python benchmarks/ablations.py --data data/train --test data/test --init runs/vehicle --roadside runs/model \
        --messages runs/coop/messages --steps 600 --out runs/ablations --json benchmarks/results/ablations.json

Every configuration starts from the same stage 1 and gets the same steps. An interrupted comparison goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluation import COMMAND, cell, kept

CONFIGS = Path(__file__).parents[1] / 'config' / 'ablation'
ORDER = ('baseline', 'early_fusion', 'no_mdfe', 'no_caa', 'no_gba', 'full', *(f'history_{n}' for n in range(6)))
FIGURES = ('mAP', 'ATE', 'AMOTA', 'AMOTP', 'recall', 'IDS')


def measure(name: str, args: argparse.Namespace) -> dict:
    """Train and evaluate one configuration; return its figures."""
    run, model, figures = (args.out / name / part for part in ('run', 'model', 'figures.json'))
    if not figures.is_file():
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        run.mkdir(parents=True, exist_ok=True)
        if not (run / 'messages').exists():
            (run / 'messages').symlink_to(args.messages.resolve())
        for command in (
                ['train', 'cooperative', '--config', CONFIGS / f'{name}.yaml', '--data', *args.data,
                 '--init', args.init, '--roadside', args.roadside, '--steps', args.steps, '--out', run,
                 '--export', model],
                ['eval', '--data', args.test, '--weights', model, '--roadside', args.roadside, '--mode', 'cooperative',
                 '--json', figures]):
            subprocess.run([*COMMAND, *map(str, command), '--threads', '1'], check=True, env=environment,
                           stdout=subprocess.DEVNULL)
    return kept(json.loads(figures.read_text(encoding='utf-8')), FIGURES)


def main() -> int:
    """Measure all, write the figures, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--test', type=Path, required=True)
    parser.add_argument('--init', type=Path, required=True, help='run folder of the vehicle, stage 1')
    parser.add_argument('--roadside', type=Path, required=True, help='model folder with the roadside network')
    parser.add_argument('--messages', type=Path, required=True,
                        help='messages of an earlier stage 2: the unit is the same for all')
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--only', nargs='+', default=list(ORDER), choices=ORDER)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--jobs', type=int, default=2)
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = dict(zip(args.only, pool.map(lambda name: measure(name, args), args.only), strict=True))
    args.json.write_text(json.dumps({'steps': args.steps, 'test': args.test.name, 'rows': rows}, indent=1),
                         encoding='utf-8')
    print(f'| configuration | {" | ".join(FIGURES)} |\n' + '|---' * (len(FIGURES) + 1) + '|')
    for name, row in rows.items():
        print(f'| `{name}` | ' + ' | '.join(cell(row[f], row['spread'][f]) for f in FIGURES) + ' |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
