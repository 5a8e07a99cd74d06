"""``cooptrack weights quantize``: measure what ``execution int8`` needs to know of the activations of a model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..common.types import Frame
    from ..data.dataset import FrameRecord

CLIP = 4
"""Successive frames, so that instances with a past occur."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--weights', required=True, metavar='MODEL', help='name or folder, which the files go into')
    parser.add_argument('--data', nargs='+', required=True, type=Path,
                        help='data folders, or folders of seed_* folders; best those of the training')
    parser.add_argument('--frames', type=int, default=64, metavar='N',
                        help='of each side, spread over all data (default: %(default)s)')


def run(args: argparse.Namespace) -> int:
    """Write the ranges of every side of the model; return 0."""
    from ..common.errors import UserError
    from ..common.outputs import check_folder
    from ..common.types import Side
    from ..data.folders import open_datasets
    from ..model.image.preprocess import least_size
    from ..weights.int8_ranges import activation_ranges, save_ranges
    from ..weights.store import open_model
    if args.frames < 1:
        raise UserError(f'--frames is {args.frames}, expected 1 or more')
    package = open_model(args.weights)
    if package.folder is None:
        raise UserError(f"'{args.weights}' has no files to go with; only stored models can be quantized")
    check_folder(package.folder)
    datasets = open_datasets(args.data)
    for side in (s for s in Side if package.has(s) and not package.config.adds(s)):
        name = 'infrastructure-side' if side is Side.ROADSIDE else 'vehicle-side'
        clips = spread_clips([d.records(name, s) for _, d in datasets for s in d.sequences()], args.frames)
        if not clips:
            raise UserError(f'no {name} frames in {", ".join(map(str, args.data))}')
        ranges = activation_ranges(package.network(side), package.config, side,
                                   (_frames(clip, least_size(package.config)) for clip in clips))
        origin = {'data': [p.name for p in args.data], 'frames': sum(map(len, clips))}
        path = save_ranges(package.folder, side, package.weights_sha256(side), ranges, origin)
        print(f'{path}: {len(ranges)} ranges from {origin["frames"]} frames')
    return 0


def spread_clips(sequences: Sequence[Sequence[FrameRecord]], count: int) -> list[list[FrameRecord]]:
    """Return about ``count`` frames in clips of successive ones, at even distances in all sequences end to end."""
    places = [(sequence, index) for sequence in sequences for index in range(len(sequence))]
    number = min(-(-count // CLIP), len(places))
    clips = []
    for clip in range(number):
        sequence, index = places[(2 * clip + 1) * len(places) // (2 * number)]
        start = max(min(index, len(sequence) - CLIP), 0)
        clips.append(list(sequence[start:start + CLIP]))
    return clips


def _frames(records: Sequence[FrameRecord], least: tuple[int, int] | None) -> Iterator[Frame]:
    return (record.frame(least=least) for record in records)
