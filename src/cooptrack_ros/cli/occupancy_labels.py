"""``cooptrack occupancy labels``: classes and identities of voxels from point clouds and boxes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.outputs import check_folder, write_figures
from ..occupancy.grids import LABELLED
from .flags import add_json

if TYPE_CHECKING:
    from rich.table import Table

    from ..data.voxels.labels import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('data', nargs='+', type=Path, metavar='DATA', help='data folders with point clouds')
    parser.add_argument('--grid', required=True, choices=LABELLED, help='which voxels')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1, metavar='J',
                        help='processes, each labels a sequence (default: one per core)')
    parser.add_argument('--compare', action='store_true', help='write no labels: measure them against those that are '
                        'there, such as the exact ones of `cooptrack synth --lidar --occupancy`')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the labels that are missing, or measure; return 0 when all of it was done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..common.errors import UserError
    from ..data.folders import data_folders
    from ..data.voxels.labels import jobs
    if args.json and not args.compare:
        raise UserError('--json writes the figures of --compare')
    folders = data_folders(args.data)
    wanted = jobs(folders, args.grid)
    if not args.compare:
        for folder in folders:
            check_folder(folder)
    with Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task('sequences', total=len(wanted))
        work = _compare if args.compare else _write
        finish = work(args, wanted, lambda done: bar.update(task, completed=done))
    finish()
    return 0


def _write(args: argparse.Namespace, wanted: list[Job], advance: Callable[[int], None]) -> Callable[[], None]:
    from ..data.voxels.labels import run_jobs
    written = run_jobs(wanted, max(args.jobs, 1), advance)
    return lambda: print(f'{written} files written, {len(wanted)} sequences are labelled')


def _compare(args: argparse.Namespace, wanted: list[Job], advance: Callable[[int], None]) -> Callable[[], None]:
    from ..data.voxels.comparison import compare
    figures = compare(wanted, advance)

    def show() -> None:
        from rich.console import Console
        Console(width=160).print(_table(figures))
        if args.json:
            write_figures(args.json, figures)
    return show


def _table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    from ..data.voxels.comparison import MASKS
    table = Table(title=f"labels from point clouds against those that are there: convention strict, grid "
                  f"{figures['grid']}, {figures['frames']} frames")
    for head in ('', *(f'mask: {name}\n{said}' for name, said in MASKS.items())):
        table.add_column(head, justify='right' if head else 'left')

    def add(name: str, pick) -> None:
        values = [pick(figures['masks'][mask]) for mask in MASKS]
        table.add_row(name, *('-' if value is None else f'{value:.3f}' for value in values))
    for number in figures['masks']['all']['IoU_per_class']:
        add(f"IoU {figures['classes'][int(number)]}", lambda part, number=number: part['IoU_per_class'][number])
    for name in ('OccSQ', 'OccAQ', 'OccSTQ'):
        add(name, lambda part, name=name: part[name])
    return table
