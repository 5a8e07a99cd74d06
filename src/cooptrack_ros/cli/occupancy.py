"""``cooptrack occupancy``: label voxels, measure volumes of classes and identities, learn a sequence by heart."""

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

SUMMARY = 'label voxels, measure volumes of classes and identities, learn a sequence by heart'
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
    overfit = actions.add_parser('overfit', help='train a small head on one sequence of four blocks until it knows it '
                                 'by heart, and measure it: whether training works at all')
    overfit.add_argument('--out', required=True, type=Path, help='folder for the sequence and the run, which goes on '
                         'where it was stopped')
    overfit.add_argument('--steps', type=int, default=3000, help='optimiser steps (default: %(default)s)')
    overfit.add_argument('--seed', type=int, default=0, help='of weights and training (default: %(default)s)')
    add_json(overfit)
    occupancy_labels.add_arguments(actions.add_parser(
        'labels', help='write the classes and identities of voxels beside data that has point clouds and boxes'))


def run(args: argparse.Namespace) -> int:
    """Run the action; return 0 if it was done."""
    return {'score': _score, 'overfit': _overfit, 'labels': occupancy_labels.run}[args.action](args)


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


def _overfit(args: argparse.Namespace) -> int:
    """Learn a sequence by heart; return 0 if it is known well enough, soon enough."""
    import torch
    from rich.console import Console

    from ..bench.occupancy_overfit import GOAL, GOAL_CPU_MINUTES, overfit
    from ..common.errors import UserError
    from ..common.outputs import check_folder
    from ..eval.occupancy.report import tables
    if args.steps < 1:
        raise UserError(f'--steps is {args.steps}, expected 1 or more')
    check_folder(args.out)
    torch.set_num_threads(1)
    figures = overfit(args.out, args.steps, args.seed,
                      lambda step, fraction, means: print(f'step {step} of {args.steps}', flush=True))
    console = Console(width=160)
    for table in tables(figures):
        console.print(table)
    print(f"strict OccSTQ {figures['strict']['OccSTQ']:.3f} after {figures['cpu_minutes']:.1f} CPU minutes "
          f'(goal: {GOAL:.2f} within {GOAL_CPU_MINUTES:.0f})')
    if args.json:
        write_figures(args.json, figures)
    return 0 if figures['goal_reached'] else 1


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
