"""Sub-command ``cooptrack data``: check data sets."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .flags import add_json

if TYPE_CHECKING:
    from ..data.checks.rule import CheckedData

SUMMARY = 'check data sets'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    check = actions.add_parser('check', help='look for what is wrong with data sets of any known format')
    check.add_argument('data', nargs='+', type=Path, metavar='DATA', help='data set, or folder of seed_* data sets')
    check.add_argument('--pictures', type=Path, metavar='FOLDER',
                       help='draw the labels of three frames of each side into the images of its cameras')
    add_json(check)


def run(args: argparse.Namespace) -> int:
    """Check; return 0 if nothing was found, 1 for warnings and 3 for errors."""
    from ..common.outputs import check_folder, write_figures
    from ..data.checks.catalogue import RULES
    from ..data.checks.rule import Severity, apply, read
    from ..data.folders import open_datasets
    if args.pictures:
        check_folder(args.pictures)
    data = read(open_datasets(args.data))
    findings = apply(RULES, data)
    for number, finding in enumerate(findings, 1):
        print(f'{number}. {finding}')
    looked_at = f'{len(data.recordings)} recordings, {sum(len(r.records) for r in data.recordings)} records'
    print(f'{looked_at}: ' + (f'{len(findings)} finding(s)' if findings else 'nothing wrong was found'))
    if args.pictures:
        _draw(data, args.pictures)
    if args.json:
        write_figures(args.json, {'schema': 'cooptrack-data-check/1', 'findings': [asdict(f) for f in findings],
                                  'rules': [rule.id for rule in RULES]})
    return max((int(Severity[finding.severity.upper()]) for finding in findings), default=0)


def _draw(data: CheckedData, folder: Path) -> None:
    from ..common.text import readable
    from ..viz.label_pictures import write_label_pictures
    folder.mkdir(parents=True, exist_ok=True)
    files = write_label_pictures(folder, data)
    print(readable(f'{folder}: {len(files)} pictures; every box must lie on its object'))
