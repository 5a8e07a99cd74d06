"""Sub-command ``cooptrack demo``: the whole system on a synthetic scene."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common.errors import UserError
from ..common.figures import figure_text
from ..common.outputs import check_folder

SUMMARY = 'run the whole demonstration'
_COLUMNS = ('mAP', 'AMOTA', 'recall', 'IDS', 'FP', 'FN')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from ..demo.options import DemoOptions
    known = DemoOptions
    parser.add_argument('--seed', type=int, default=known.seed,
                        help='scene (default: %(default)s; tests use 20000 to 29999)')
    parser.add_argument('--seconds', type=float, default=known.seconds,
                        help='length of the drive (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=known.out, help='folder to write (default: %(default)s)')
    parser.add_argument('--weights', default=known.weights, help='model name, folder, or random:PRESET')
    parser.add_argument('--size', default='x'.join(map(str, known.size)), metavar='WxH',
                        help='image size (default: %(default)s)')
    parser.add_argument('--occupancy', action='store_true', help='find voxels, too, and draw the street as voxels with '
                        'identities; needs a model with occupancy heads')


def run(args: argparse.Namespace) -> int:
    """Run the demonstration and print what came out; return 0 when all of it was done."""
    from rich.console import Console

    from ..demo.options import DemoOptions
    from ..demo.pipeline import run_demo
    from ..weights.store import open_model
    from .synth import parse_size
    if args.seconds < 1:
        raise UserError(f'--seconds is {args.seconds:g}, expected 1 or more')
    check_folder(args.out)
    package = open_model(args.weights)
    grid = _grid_of(package) if args.occupancy else ''
    options = DemoOptions(args.seed, args.seconds, parse_size(args.size), args.weights, args.out, grid)
    console, started = Console(), time.monotonic()
    console.print(f'scene {options.seed}, {options.seconds:g} s, weights {options.weights}, '
                  f'ROS domains {options.domains.first} and {options.domains.first + 1}')
    result = run_demo(options, _steps(console))
    _show(console, result, options.weights)
    console.print(f'done in {time.monotonic() - started:.0f} s')
    return 0


def _grid_of(package) -> str:
    """Return the grid of the voxels that the nodes find; raise a UserError for a model without heads."""
    from ..common.types import Side
    readers = {side.value: package.occupancy(side) for side in Side}
    missing = [name for name, reader in readers.items() if reader is None]
    if missing:
        raise UserError(f"--occupancy: model '{package.name}' has no occupancy head for its {' and '.join(missing)} "
                        'weights (`cooptrack train occupancy --export` makes one)')
    return next(iter(readers.values())).profile


def _steps(console):
    """Return a function that announces steps: a moving line while one runs, one line when it is done."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    @contextmanager
    def step(title: str) -> Iterator:
        started = time.monotonic()
        columns = SpinnerColumn(), TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn()
        try:
            with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
                task = progress.add_task(title, total=None)
                yield lambda done, total: progress.update(task, completed=done, total=total)
        except UserError as error:
            raise UserError(f'step "{title}" failed: {error}') from error
        console.print(f'{time.monotonic() - started:6.1f} s  {title}', highlight=False)
    return step


def _show(console, result, weights: str) -> None:
    from rich.table import Table

    from ..demo.processes import lichtblick_command
    table = Table(title=f'class car, weights {weights}, from the messages on the topics')
    table.add_column('mode', no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify='right')
    metrics = result.metrics
    rows = {'ego only': metrics['ego_only'], 'late fusion': metrics['late'], 'cooperative': metrics['cooperative'],
            'cooperative, features zeroed': metrics['cooperative_features_zeroed'],
            'oracle, vehicle side': metrics['oracle']['vehicle'],
            'oracle, both sides': metrics['oracle']['cooperative']}
    for title, values in rows.items():
        table.add_row(title, *(figure_text(values[name]) for name in _COLUMNS))
    console.print(table)
    console.print('oracle: a perfect detector of what can be seen from there', highlight=False)
    latency, real_time = metrics['latency_ms'], metrics['real_time']
    lines = [f"over the air      {metrics['bytes_per_second'] / 1e3:.1f} kB/s of feature messages",
             f"ego node          {latency['p50']:.0f} ms from image to tracks (p95 {latency['p95']:.0f} ms), "
             f"{real_time['frames_answered']} of {real_time['images_played']} frames answered in real time",
             f'cooperation       {result.unseen_tracked} objects tracked that the vehicle could not see']
    if 'occupancy' in metrics:
        lines += _voxel_lines(metrics['occupancy'])
    lines += [f'{name:<17} {path}' for name, path in result.files.items()]
    lines.append(f"in Lichtblick     {lichtblick_command(result.files['recorded bag'])}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _voxel_lines(measured: dict) -> list[str]:
    """Return what voxels are worth where only the unit sees, as lines."""
    alone, together = (figure_text(measured[name]['unit_only']['strict']['OccSTQ'])
                       for name in ('ego_only', 'cooperative'))
    return [f"voxels            {measured['bytes_per_second'] / 1e3:.1f} kB/s of voxel messages",
            f"{'':17} strict OccSTQ where only the unit sees, grid {measured['grid']}: alone {alone}, "
            f'with the unit {together}']
