"""
Train stage 1 with and without the parts of SynCL, from one start and with the same data in the same order, and compare.

    python benchmarks/syncl.py --data data/train --test data/val --init runs/image_vehicle --steps 3000 --seeds 0 1 2 \
        --out runs/syncl --json benchmarks/results/syncl.json --picture docs/syncl.png

Arms: the plain training; a second pass with hybrid matching; the same with filtering; the same with contrast, which is
SynCL; and the plain training with as many more steps as make up for the time that SynCL takes. An interrupted
comparison goes on: runs that are complete stay.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from evaluation import COMMAND

PLAIN, SYNCL, SAME_TIME = 'baseline', 'syncl', 'baseline, same time'
ARMS = {
    PLAIN: {}, 'hybrid matching': {'twin': True, 'filter': 'none', 'contrast_weight': 0.0},
    'and filtering': {'twin': True, 'contrast_weight': 0.0}, SYNCL: {'twin': True}, SAME_TIME: {}}
FIGURES = ('AMOTA', 'recall', 'MOTA', 'FN', 'IDS', 'mAP')
MECHANISMS = ('threshold_first', 'threshold_last', 'retrieval', 'seconds_per_step')


def train(arm: str, seed: int, steps: int, args: argparse.Namespace) -> dict:
    """Train and evaluate one arm with one seed; return its figures."""
    folder = args.out / f'{arm.replace(" ", "_").replace(",", "")}_{seed}'
    folder.mkdir(parents=True, exist_ok=True)
    recipe, figures = folder / 'recipe.yaml', folder / 'figures.json'
    block = {'recipe': args.recipe, 'seed': seed, 'clip_grad_frames': args.clip_grad_frames}
    recipe.write_text(yaml.safe_dump(block | ({'syncl': ARMS[arm]} if ARMS[arm] else {})), encoding='utf-8')
    if not figures.is_file():
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        for command in (
                ['train', 'vehicle', '--config', args.config, '--recipe', recipe, '--data', *args.data,
                 '--init', *args.init, '--steps', steps, '--out', folder / 'run', '--export', folder / 'model'],
                ['eval', '--data', *args.test, '--weights', folder / 'model', '--mode', 'none', '--json', figures]):
            subprocess.run([*COMMAND, *map(str, command), '--threads', '1'], check=True, env=environment,
                           stdout=subprocess.DEVNULL)
    measured = json.loads(figures.read_text(encoding='utf-8'))['none']
    return {k: measured[k] for k in FIGURES if k in measured} | mechanisms(folder / 'run') | {'steps': steps}


def mechanisms(run: Path) -> dict:
    """Return threshold at both ends of the training, retrieval at its end, and the time of a step."""
    lines = [json.loads(line) for line in (run / 'log.jsonl').read_text(encoding='utf-8').splitlines()]
    last = lines[-1]
    found = {'seconds_per_step': last['elapsed_s'] / last['step']}
    thresholds = [line['syncl_threshold'] for line in lines if 'syncl_threshold' in line]
    if thresholds:
        tenth = max(len(thresholds) // 10, 1)
        found |= {'threshold_first': float(np.mean(thresholds[:tenth])),
                  'threshold_last': float(np.mean(thresholds[-tenth:]))}
    retrieval = [line['syncl_retrieval'] for line in lines if 'syncl_retrieval' in line]
    if retrieval:
        found['retrieval'] = float(np.mean(retrieval[-max(len(retrieval) // 10, 1):]))
    return found


def summary(rows: list[dict]) -> dict:
    """Return mean and standard deviation over seeds of every figure that all have."""
    names = [n for n in (*FIGURES, *MECHANISMS) if all(row.get(n) is not None for row in rows)]
    return {n: {'mean': float(np.mean([row[n] for row in rows])), 'std': float(np.std([row[n] for row in rows]))}
            for n in names}


def draw(path: Path, arms: dict[str, dict]) -> None:
    """Draw bars of the tracking figures with their spread over seeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(12, 3.2), layout='constrained')
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, len(FIGURES)), FIGURES, strict=True):
        known = {arm: values[name] for arm, values in arms.items() if name in values}
        axes.bar(range(len(known)), [v['mean'] for v in known.values()], yerr=[v['std'] for v in known.values()],
                 color=['0.6' if arm.startswith(PLAIN) else 'tab:blue' for arm in known], capsize=3)
        axes.set_xticks(range(len(known)), known, rotation=75, fontsize=7)
        axes.set_title(name, fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Run what is missing, write the figures, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', nargs='+', type=Path, required=True)
    parser.add_argument('--test', nargs='+', type=Path, required=True)
    parser.add_argument('--init', nargs='+', type=Path, required=True, help='run or model folders to start from')
    parser.add_argument('--config', default='mini')
    parser.add_argument('--recipe', default='mini-vehicle')
    parser.add_argument('--clip-grad-frames', type=int, default=1)
    parser.add_argument('--steps', type=int, default=3000)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path)
    args = parser.parse_args()
    runs: dict[str, list[dict]] = {arm: [] for arm in ARMS}
    for seed in args.seeds:
        for arm in ARMS:
            longer = 1.0
            if arm == SAME_TIME:
                longer = runs[SYNCL][-1]['seconds_per_step'] / runs[PLAIN][-1]['seconds_per_step']
            runs[arm].append(train(arm, seed, round(args.steps * max(longer, 1.0)), args))
    arms = {arm: summary(rows) for arm, rows in runs.items()}
    args.json.write_text(json.dumps({'steps': args.steps, 'seeds': args.seeds, 'data': [p.name for p in args.data],
                                     'test': [p.name for p in args.test], 'clip_grad_frames': args.clip_grad_frames,
                                     'arms': arms, 'runs': runs}, indent=1), encoding='utf-8')
    if args.picture:
        draw(args.picture, arms)
    names = (*FIGURES, *MECHANISMS)
    print(f'| arm | {" | ".join(names)} |\n' + '|---' * (len(names) + 1) + '|')
    for arm, values in arms.items():
        print(f'| {arm} | ' + ' | '.join(
            f'{values[n]["mean"]:.3f} ± {values[n]["std"]:.3f}' if n in values else '-' for n in names) + ' |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
