"""``cooptrack occupancy``: label voxels, and measure volumes of classes and identities."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.outputs import write_figures
from . import occupancy_labels
from .flags import add_json

if TYPE_CHECKING:
    from rich.table import Table

SUMMARY = 'label voxels from point clouds and boxes, measure volumes of classes and identities'
_FIGURES = ('OccSTQ', 'OccSQ', 'OccAQ')
_PQ = ('PQ_min0', 'PQ_min10', 'PQ_star_min0', 'PQ_star_min10')
_MASKS = {'expected': 'camera', 'without_mask': 'none'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    score = actions.add_parser('score', help='measure files with true and predicted volumes')
    score.add_argument('cases', nargs='+', type=Path, metavar='CASE.npz',
                       help='seq{k}_gt_sem, _gt_inst, _pred_sem, _pred_inst, _mask (T, X, Y, Z) of sequence k')
    score.add_argument('--taxonomy', type=Path, metavar='FILE', help='JSON with classes, thing_classes, '
                       'ignored_classes, free_class (default: the seven classes of the golden numbers)')
    add_json(score)
    occupancy_labels.add_arguments(actions.add_parser(
        'labels', help='write the classes and identities of voxels beside data that has point clouds and boxes'))


def run(args: argparse.Namespace) -> int:
    """Run the action; return 0 if it was done."""
    return {'score': _score, 'labels': occupancy_labels.run}[args.action](args)


def _score(args: argparse.Namespace) -> int:
    from rich.console import Console

    from ..common.errors import UserError
    from ..occupancy.case_file import measure_case
    from ..occupancy.taxonomy import GOLDEN, read_taxonomy
    taxonomy = read_taxonomy(args.taxonomy) if args.taxonomy else GOLDEN
    names = [path.stem for path in args.cases]
    if len(set(names)) < len(names):
        raise UserError(f"names of cases must differ, not {', '.join(names)}")
    cases = {path.stem: measure_case(path, taxonomy) for path in args.cases}
    console = Console(width=160)
    for name, case in cases.items():
        title = f"{name}: grid {case['grid']}, classes {', '.join(taxonomy.classes)}"
        console.print(_table(title, 'convention', case, [row for row in case['expected'] if row not in _PQ], _FIGURES))
        console.print(_table(title, 'panoptic quality', case, _PQ, ('value',)))
    if args.json:
        write_figures(args.json, {
            'classes': list(taxonomy.classes), 'thing_classes': list(taxonomy.things),
            'ignored_classes': list(taxonomy.ignored), 'free_class': taxonomy.free, 'cases': cases})
    return 0


def _table(title: str, head: str, case: dict[str, Any], rows: Sequence[str], figures: Sequence[str]) -> Table:
    """Return a table of a case whose figures with and without the mask stand side by side."""
    from rich.table import Table
    table = Table(title=title)
    table.add_column(head)
    for figure in figures:
        for mask in _MASKS.values():
            table.add_column(f'{figure}\nmask: {mask}', justify='right')
    for row in rows:
        table.add_row(row, *(_number(case[part][row][figure]) for figure in figures for part in _MASKS))
    return table


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.4f}'
