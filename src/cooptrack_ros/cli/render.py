"""Sub-command ``cooptrack render``: pictures and an animation of a result file."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = 'draw a result as pictures and an animation'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('result', metavar='RESULT.json', type=Path, help='result file (cooptrack-eval-golden/1)')
    parser.add_argument('--data', required=True, type=Path, metavar='DIR', help='data set that the result belongs to')
    parser.add_argument('-o', '--output', required=True, type=Path, metavar='OUT', help='folder for the pictures')
    parser.add_argument('--sequence', metavar='ID', help='sequence; may be left out if there is only one')
    parser.add_argument('--pictures', type=int, default=5, metavar='N', help='pictures to write (default: %(default)s)')


def run(args: argparse.Namespace) -> int:
    """Draw; return 0 when the files are there."""
    from rich.progress import Progress

    from ..core.errors import UserError
    from ..data.spd import SpdDataset
    from ..eval.exchange import read_exchange
    from ..viz.album import write_album
    from ..viz.result import tracked_frames
    result = read_exchange(args.result)
    dataset = SpdDataset(args.data)
    sequences = dataset.sequences()
    if args.sequence is None and len(sequences) != 1:
        raise UserError(f"{args.data} has the sequences {', '.join(sequences)}: choose one with --sequence")
    if args.pictures < 1:
        raise UserError(f'--pictures is {args.pictures}, expected 1 or more')
    records = dataset.records('cooperative', args.sequence or sequences[0])
    frames = tracked_frames(result, records, args.data.name)
    if not frames:
        raise UserError(f'{args.result} has no frame of {args.data}, sequence {args.sequence or sequences[0]}')
    records = [r for r in records if r.token in frames]
    with Progress(transient=True) as progress:
        task = progress.add_task('drawing', total=None)
        files = write_album(args.output, records, frames, result['name'], args.pictures,
                            advance=lambda done, total: progress.update(task, completed=done, total=total))
    print(f'{args.output}: {len(files) - 1} pictures and {files[-1].name}')
    return 0
