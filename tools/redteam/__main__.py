"""Attack a live ego node, let files unfold, and write the table of what came of it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.demo.processes import end_orderly_when_terminated

from . import attacks
from .attack import Attack
from .drive import SIZE, Drive, make_drive
from .shooting_range import ShootingRange, as_plain
from .table import with_tables

NAMES = tuple(sorted(module.name for module in iter_modules(attacks.__path__)))


def attack_of(name: str) -> Attack:
    """Return the attack of a file."""
    return import_module(f'{attacks.__name__}.{name}').ATTACK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen attacks; return 1 if the node did not live through one."""
    parser = argparse.ArgumentParser(prog='python -m redteam', description=__doc__)
    parser.add_argument('attacks', nargs='*', metavar='ATTACK', choices=[*NAMES, []],
                        help=f'default: all ({", ".join(NAMES)})')
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
    stored: dict[str, Any] = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {'attacks': {}}
    drives: dict[float, Drive] = {}
    dead = []
    for name in args.attacks or NAMES:
        attack = attack_of(name)
        if attack.seconds not in drives:
            drives[attack.seconds] = make_drive(args.out, attack.seconds, SIZE, args.weights)
        with ShootingRange(attack, drives[attack.seconds], args.out, args.weights, args.source) as target:
            figures = target.attack(args.frames)
        print(f'{name}: {json.dumps(as_plain(figures))}', flush=True)
        stored['attacks'].setdefault(name, {})[args.label] = as_plain(figures)
        write_atomically(path, json.dumps(stored, indent=1) + '\n')
        dead += [] if figures.alive else [name]
    if args.document:
        write_atomically(args.document, with_tables(args.document.read_text(encoding='utf-8'), stored))
    if dead:
        print(f'the node did not live through {", ".join(dead)}', file=sys.stderr)
    return bool(dead)


if __name__ == '__main__':
    raise SystemExit(main())
