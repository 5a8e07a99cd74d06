"""``cooptrack synth``: generate synthetic scenes in the formats V2X-Seq-SPD and Griffin."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..common.errors import UserError
from ..common.outputs import check_folder
from ..occupancy.grids import LABELLED

EVENTFUL = 'eventful'
FORMATS = ('spd', 'griffin')
ALTITUDE_M = 25.0
SUMMARY = 'generate synthetic scenes in the formats V2X-Seq-SPD and Griffin'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write; with --seeds one folder per seed in it')
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument('--seed', type=int, help='make one scene, OUT is its data set')
    which.add_argument('--seeds', metavar='A-B', help='make scenes A to B as OUT/seed_000001 ...; complete ones stay')
    parser.add_argument('--seconds', type=float, default=10.0, help='length of each recording (default: %(default)s)')
    parser.add_argument('--start', metavar='S', default='0', help='seconds of the scene that go by before the '
                        'recording, or eventful: where the vehicle turns or traffic crosses its way (default: 0)')
    parser.add_argument('--size', metavar='WxH', default='960x540', help='image size (default: %(default)s)')
    parser.add_argument('--units', type=int, default=1, metavar='K', help='roadside units: writes OUT/unit_1 .. unit_K')
    parser.add_argument('--format', choices=FORMATS, default=FORMATS[0], help='spd: a vehicle and roadside units; '
                        'griffin: a vehicle with four cameras and a drone with five (default: %(default)s)')
    parser.add_argument('--altitude', type=float, metavar='M', help='of the drone of --format griffin, metres '
                        f'(default: {ALTITUDE_M:g})')
    parser.add_argument('--lidar', action='store_true', help='also write the point clouds of both sides')
    parser.add_argument('--occupancy', nargs='?', const=LABELLED[0], default='', choices=LABELLED,
                        help=f'also write the exact labels of voxels, of this grid (default: {LABELLED[0]})')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1, metavar='J',
                        help='processes for --seeds (default: one per core)')


def run(args: argparse.Namespace) -> int:
    """Generate one scene or many."""
    options = {'seconds': args.seconds, 'size': parse_size(args.size), 'units': args.units, 'lidar': args.lidar,
               'occupancy': args.occupancy, 'altitude': _altitude(args)}
    check_folder(args.out if args.seeds else args.out.parent)
    eventful = args.start == EVENTFUL
    if not eventful:
        options['start'] = _seconds(args.start)
    if args.seeds is None:
        return _run_one(args.out, args.seed, options, eventful)
    return _run_many(args.out, args.seeds, options, max(args.jobs, 1), eventful)


def _altitude(args: argparse.Namespace) -> float:
    """Return the altitude of the drone, 0 without one."""
    if args.format == 'spd':
        if args.altitude is not None:
            raise UserError('--altitude is for --format griffin, which has a drone')
        return 0.0
    if args.altitude == 0:
        raise UserError('--altitude must be above 0')
    return ALTITUDE_M if args.altitude is None else args.altitude


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--start takes a number of seconds or {EVENTFUL}, not '{text}'") from None


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of ``WxH``."""
    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError:
        raise UserError(f"a size must look like 960x540, not '{text}'") from None
    return width, height


def _progress():
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    return Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def _run_one(out: Path, seed: int, options: dict, eventful: bool) -> int:
    from ..data.synth import generate
    from ..data.synth.many import is_complete, options_of
    options = options_of(seed, options, eventful)
    if is_complete(out, seed, options):
        print(f'{out} is complete already')
        return 0
    with _progress() as progress:
        task = progress.add_task(f'scene {seed}', total=None)
        generate(out, seed, progress=lambda done, total: progress.update(task, completed=done, total=total), **options)
    return 0


def _run_many(out: Path, seeds: str, options: dict, jobs: int, eventful: bool) -> int:
    from ..data.synth.many import generate_many, parse_seeds
    with _progress() as progress:
        task = progress.add_task('scenes', total=None)
        generate_many(out, parse_seeds(seeds), options, jobs,
                      lambda done, total: progress.update(task, completed=done, total=total), eventful=eventful)
    return 0
