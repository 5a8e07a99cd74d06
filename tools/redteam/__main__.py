"""Attack a live ego node, let files unfold, and write the table of what came of it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.demo.processes import end_orderly_when_terminated

from . import attacks
from .attack import Attack
from .bomb import all_bombs, set_off
from .drive import SIZE, Drive, make_drive
from .shooting_range import ShootingRange
from .table import with_tables

NAMES = tuple(sorted(module.name for module in iter_modules(attacks.__path__)))
FILES = 'files'
"""Stands for all bombs among the attacks."""


def attack_of(name: str) -> Attack:
    """Return the attack of a file."""
    return import_module(f'{attacks.__name__}.{name}').ATTACK


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the chosen attacks; return 1 if one of them ended the node, or a file was not refused in time.

    The result is stored after each: who was interrupted names those that are left, and the page has all of them.
    """
    parser = argparse.ArgumentParser(prog='python -m redteam', description=__doc__)
    parser.add_argument('attacks', nargs='*', metavar='ATTACK', choices=[*NAMES, FILES, []],
                        help=f'default: all ({", ".join(NAMES)}, and {FILES}: everything that unfolds)')
    parser.add_argument('--frames', type=int, help='images of each attack (default: the whole recording)')
    parser.add_argument('--weights', default='mini', help='model (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('out/redteam'), help='folder (default: %(default)s)')
    parser.add_argument('--label', choices=('before', 'after'), default='after',
                        help='which column of the table the figures are for (default: %(default)s)')
    parser.add_argument('--source', type=Path, help='sources of another version that the node runs')
    parser.add_argument('--json', type=Path, help='result; other figures in it stay')
    parser.add_argument('--document', type=Path, help='page to put the tables into, between their markers')
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    end_orderly_when_terminated()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    path = args.json or args.out / 'redteam.json'
    stored: dict[str, Any] = {'attacks': {}, 'files': {}}
    if path.is_file():
        stored |= json.loads(path.read_text(encoding='utf-8'))
    failed, names = [], args.attacks or [*NAMES, FILES]
    for number, name in enumerate(names, 1):
        print(f'{number} of {len(names)}: {name} ...', flush=True)
        failed += _set_off_all(stored['files'], args) if name == FILES else _attack(name, stored['attacks'], args)
        write_atomically(path, json.dumps(stored, indent=1) + '\n')
    if args.document:
        write_atomically(args.document, with_tables(args.document.read_text(encoding='utf-8'), stored))
    if failed:
        print(f'not withstood: {", ".join(failed)}', file=sys.stderr)
    return bool(failed)


@cache
def _drive(folder: Path, seconds: float, weights: str) -> Drive:
    return make_drive(folder, seconds, SIZE, weights)


def _attack(name: str, rows: dict[str, Any], args: argparse.Namespace) -> list[str]:
    """Attack, and store what came of it; return the name if the node did not live through it."""
    attack = attack_of(name)
    drive = _drive(args.out, attack.seconds, args.weights)
    with ShootingRange(attack, drive, args.out, args.weights, args.source) as target:
        figures = target.attack(args.frames)
    print(f'{name}: {json.dumps(asdict(figures))}', flush=True)
    rows[name] = {**rows.get(name, {}), 'title': attack.title, args.label: asdict(figures)}
    return [] if figures.alive else [name]


def _set_off_all(rows: dict[str, Any], args: argparse.Namespace) -> list[str]:
    """Have every bomb read; return the names of those that were not refused in time."""
    failed = []
    bombs = all_bombs()
    for name, blast in set_off(list(bombs), args.source).items():
        print(f'{name}: {json.dumps(asdict(blast))}', flush=True)
        rows[name] = {**rows.get(name, {}), 'title': bombs[name].title, args.label: asdict(blast)}
        failed += [] if blast.is_withstood else [name]
    return failed


if __name__ == '__main__':
    raise SystemExit(main())
