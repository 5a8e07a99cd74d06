"""
Enter a training run into the ledger: what was trained from what, how long, and what validation says of it.

    python benchmarks/ledger.py runs/vehicle --figures runs/vehicle/validation.json --note 'first run'

FIGURES is what `cooptrack eval --json` wrote of the exported weights on validation scenes. An entry with the same run,
commit and step is replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from evaluation import without_folders

from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.train.checkpoint import read_training

LEDGER = Path(__file__).parent / 'results' / 'training_ledger.json'
SCHEMA = 'cooptrack-training-ledger/1'
FIGURES = ('mAP', 'ATE', 'AOE', 'AVE', 'AVE_moving', 'AMOTA', 'recall', 'IDS', 'HOTA')


def entry_of(run: Path, figures: dict[str, dict], note: str) -> dict:
    """Return the entry of a run; :param figures: rows of an evaluation by mode."""
    settings = json.loads((run / 'settings.json').read_text(encoding='utf-8'))
    saved = read_training(run / 'checkpoint.pt')
    recipe = settings['recipe']
    return {
        'run': run.name, 'code': settings['code'], 'steps': saved['step'],
        'frames': saved['step'] * recipe['batch_size'] * recipe.get('clip_grad_frames', 1),
        'minutes': round(saved['elapsed_s'] / 60, 1), 'recipe': recipe, 'method': settings['model']['method'],
        'validation': {mode: {**{n: row['vehicle'][n] for n in FIGURES if n in row['vehicle']},
                              'motion': row.get('motion'), 'labels': row.get('labels'),
                              'options': without_folders(row.get('options'))}
                       for mode, row in figures.items()},
        'note': note}


def enter(ledger: Path, entry: dict) -> None:
    """Add an entry, or put it in the place of the one of the same run, commit and step."""
    runs = json.loads(ledger.read_text(encoding='utf-8'))['runs'] if ledger.is_file() else []
    same = ('run', 'code', 'steps')
    runs = [*(r for r in runs if any(r[k] != entry[k] for k in same)), entry]
    write_atomically(ledger, json.dumps({'schema': SCHEMA, 'runs': runs}, indent=1) + '\n')


def main() -> int:
    """Enter one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('run', type=Path, help='run folder of cooptrack train')
    parser.add_argument('--figures', type=Path, help='JSON of cooptrack eval on validation scenes')
    parser.add_argument('--note', default='')
    parser.add_argument('--ledger', type=Path, default=LEDGER)
    args = parser.parse_args()
    figures = json.loads(args.figures.read_text(encoding='utf-8')) if args.figures else {}
    rows = {figures['mode']: figures} if 'mode' in figures else figures
    entry = entry_of(args.run, rows, args.note)
    enter(args.ledger, entry)
    print(f"{args.ledger}: {entry['run']}, step {entry['steps']}, {entry['frames']} frames")
    return 0


if __name__ == '__main__':
    sys.exit(main())
