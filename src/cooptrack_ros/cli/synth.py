"""``cooptrack synth``: generate synthetic towns in the V2X-Seq-SPD format."""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from ..core.errors import UserError

SUMMARY = 'generate synthetic towns in the V2X-Seq-SPD format'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write; with --seeds one folder per seed in it')
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument('--seed', type=int, help='make one town, OUT is its data set')
    which.add_argument('--seeds', metavar='A-B', help='make towns A to B as OUT/seed_000001 ...; complete ones stay')
    parser.add_argument('--seconds', type=float, default=10.0, help='length of each recording (default: %(default)s)')
    parser.add_argument('--size', metavar='WxH', default='960x540', help='picture size (default: %(default)s)')
    parser.add_argument('--units', type=int, default=1, metavar='K', help='roadside units: writes OUT/unit_1 .. unit_K')
    parser.add_argument('--lidar', action='store_true', help='also write coarse point clouds')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1, metavar='J',
                        help='processes for --seeds (default: one per core)')


def run(args: argparse.Namespace) -> int:
    """Generate one town or many."""
    options = {'seconds': args.seconds, 'size': parse_size(args.size), 'units': args.units, 'lidar': args.lidar}
    if args.seeds is None:
        return _run_one(args.out, args.seed, options)
    return _run_many(args.out, parse_seeds(args.seeds), options, max(args.jobs, 1))


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of ``WxH``."""
    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError:
        raise UserError(f"--size must look like 960x540, not '{text}'") from None
    return width, height


def parse_seeds(text: str) -> range:
    """Return the seeds of ``A-B``, both included."""
    try:
        first, last = (int(part) for part in text.split('-'))
    except ValueError:
        raise UserError(f"--seeds must look like 1-40, not '{text}'") from None
    if last < first:
        raise UserError(f"--seeds must rise, not '{text}'")
    return range(first, last + 1)


def is_complete(folder: Path, seed: int, options: dict) -> bool:
    """
    Return whether ``folder`` already holds this very town.

    :raises UserError: if it holds something else.
    """
    from ..data.synth import PROVENANCE, provenance
    path = folder / PROVENANCE
    if not path.is_file():
        return False
    found = json.loads(path.read_text(encoding='utf-8'))
    wanted = provenance(seed, **options)
    if {key: found.get(key) for key in wanted} != wanted:
        raise UserError(f'{folder} holds another town ({found}); wanted {wanted}')
    return True


def _progress():
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    return Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def _run_one(out: Path, seed: int, options: dict) -> int:
    from ..data.synth import generate
    if is_complete(out, seed, options):
        print(f'{out} is complete already')
        return 0
    with _progress() as progress:
        task = progress.add_task(f'town {seed}', total=None)
        generate(out, seed, progress=lambda done, total: progress.update(task, completed=done, total=total), **options)
    return 0


def _generate_quietly(folder: Path, seed: int, options: dict) -> int:
    from ..data.synth import generate
    generate(folder, seed, **options)
    return seed


def _run_many(out: Path, seeds: range, options: dict, jobs: int) -> int:
    folders = {seed: out / f'seed_{seed:06d}' for seed in seeds}
    missing = [seed for seed, folder in folders.items() if not is_complete(folder, seed, options)]
    with _progress() as progress:
        task = progress.add_task('towns', total=len(seeds), completed=len(seeds) - len(missing))
        with ProcessPoolExecutor(jobs) as pool:
            waiting = [pool.submit(_generate_quietly, folders[seed], seed, options) for seed in missing]
            try:
                for future in as_completed(waiting):
                    future.result()
                    progress.advance(task)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return 0
