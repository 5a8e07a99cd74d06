"""Sub-command ``cooptrack bag``: convert data sets to ROS 2 bags, describe and cut bags."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..common.errors import UserError
from ..common.text import readable

SUMMARY = 'convert data sets to ROS 2 bags, describe and cut bags'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    convert = actions.add_parser('convert', help='write one sequence of a V2X-Seq-SPD folder as a bag (mcap)')
    convert.add_argument('dataset', metavar='DATASET', help='folder in the V2X-Seq-SPD format, or one that holds such '
                         'folders of several roadside units')
    convert.add_argument('-o', '--output', required=True, metavar='OUT', help='bag to write; must not exist')
    convert.add_argument('--sequence', metavar='ID', help='sequence; may be left out if there is only one')
    convert.add_argument('--unit', metavar='NAME', help='name of the only roadside unit (default: rsu_1); several '
                         'units have the names of their folders')
    convert.add_argument('--stamp', choices=('pointcloud', 'image'), default='pointcloud',
                         help='time that images carry (default: %(default)s, which the network works with)')
    convert.add_argument('--update-labels', metavar='FILE',
                         help="label corrections: 'bundled' for the published ones, or a file of that schema")
    convert.add_argument('--ego-labels', choices=('keep', 'remove'), default='keep',
                         help='labels of the ego car in the ground truth (default: %(default)s, as published)')
    convert.add_argument('--video', choices=('h264', 'h265'), help='write images as video (FFMPEGPacket on '
                         '.../image/ffmpeg) instead of as they are stored; needs PyAV')
    info = actions.add_parser('info', help='describe a bag')
    info.add_argument('bag', metavar='BAG')
    cut = actions.add_parser('cut', help='write a part of a bag as a new one (mcap)')
    cut.add_argument('bag', metavar='BAG')
    cut.add_argument('-o', '--output', required=True, metavar='OUT', help='bag to write; must not exist')
    cut.add_argument('--from', dest='from_s', type=float, default=0.0, metavar='S',
                     help='start of the cut, seconds from the start of the bag (default: %(default)s)')
    cut.add_argument('--to', dest='to_s', type=float, metavar='S',
                     help='end of the cut, seconds from the start of the bag (default: to the end)')
    cut.add_argument('--topics', nargs='+', default=[], metavar='TOPIC', help='topics to keep (default: all)')


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; return 0 if it was done."""
    return {'convert': _convert, 'info': _info, 'cut': _cut}[args.action](args)


def _convert(args: argparse.Namespace) -> int:
    from ..data.bags.convert import convert
    dataset = _open(args)
    sequences = dataset.sequences()
    if args.sequence is None and len(sequences) != 1:
        raise UserError(f"{args.dataset} has the sequences {', '.join(sequences)}: choose one with --sequence")
    sequence = args.sequence or sequences[0]
    count = convert(dataset, sequence, Path(args.output), args.stamp, _progress(), args.video)
    print(f'{args.output}: sequence {sequence}, {count} messages, stamps of the {args.stamp}, '
          f'ego labels: {args.ego_labels}')
    return 0


def _open(args: argparse.Namespace):
    """Return the data set, with corrections and a name of the unit where the format has a place for them."""
    from ..data.dataset import SINGLE_UNIT
    from ..data.folders import open_dataset
    from ..data.spd.reader import SpdDataset
    dataset = open_dataset(args.dataset)
    if not (args.unit or args.update_labels or args.ego_labels != 'keep'):
        return dataset
    if not isinstance(dataset, SpdDataset):
        raise UserError(f'{args.dataset} holds several roadside units: --unit, --update-labels and --ego-labels are '
                        'for data sets with one')
    return SpdDataset(args.dataset, args.update_labels, args.ego_labels, args.unit or SINGLE_UNIT)


def _progress():
    """Return a callback that draws a percentage on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        print(f'\r{100 * done // total:3d} %', end='' if done < total else '\n', file=sys.stderr, flush=True)
    return show


def _info(args: argparse.Namespace) -> int:
    from ..data.bags.info import describe_bag
    summary = describe_bag(Path(args.bag))
    print(f'start     {summary.start_ns / 1e9:.3f} s')
    print(f'duration  {summary.duration_ns / 1e9:.3f} s')
    for key, value in (summary.description or {}).items():
        shown = f'{len(value)} entries' if value and isinstance(value[0], list) else value
        print(readable(f'{key:<12} {shown}'))
    width = max((len(t.name) for t in summary.topics), default=0)
    for topic in summary.topics:
        print(readable(f"{topic.name:<{width}}  {topic.count:6d}  {topic.kind}{'  latched' if topic.latched else ''}"))
    return 0


def _cut(args: argparse.Namespace) -> int:
    from ..data.bags.cut import cut_bag
    count = cut_bag(Path(args.bag), Path(args.output), args.from_s, args.to_s, args.topics)
    print(f'{args.output}: {count} messages')
    return 0
