"""``cooptrack bench``: measure time and memory of network, wire format, nodes, data and training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..common.files import write_atomically
from ..common.outputs import write_figures
from .flags import add_json

SUMMARY = 'measure time and memory of network, wire format, nodes, data and training'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    _add_model(actions)
    _add_codec(actions)
    _add_node(actions)
    _add_data(actions)
    _add_train(actions)
    report = actions.add_parser('report', help='bring the tables of documents in step with stored results')
    report.add_argument('--results', type=Path, default=Path('benchmarks/results'), help='folder of JSON files')
    report.add_argument('--document', nargs='+', type=Path,
                        default=[Path('docs/performance.md'), Path('docs/what_crosses_the_air.md')])
    report.add_argument('--check', action='store_true', help='change nothing; fail if the tables are not in step')


def _add_model(actions) -> None:
    model = actions.add_parser('model', help='one tracker step, stage by stage, on every execution path')
    model.add_argument('--config', default='r50', help='model preset or YAML of overrides (default: %(default)s)')
    model.add_argument('--side', default='vehicle', choices=['vehicle', 'roadside', 'cooperative'])
    model.add_argument('--weights', help='model name or folder (default: deterministic weights); its own configuration '
                       'then holds')
    model.add_argument('--execution', nargs='+', choices=['reference', 'fast', 'int8', 'graph'],
                       default=['reference', 'fast'], help='reference, and one that is compared with it, or one alone, '
                       'which shows its own memory; int8 measures its activations on the scene (default: reference '
                       'fast)')
    model.add_argument('--device', default='cpu', help='cpu, cuda or cuda:N')
    model.add_argument('--threads', type=int, default=1, help='CPU threads (default: %(default)s)')
    model.add_argument('--frames', type=int, help='timed frames (default: 20 on a CPU, 500 on a GPU)')
    model.add_argument('--warmup', type=int, help='frames before (default: 8 on a CPU, 50 on a GPU)')
    model.add_argument('--num-tracks', type=int, default=30,
                       help='live tracks that the class bias is shifted to give; 0: it '
                       'stays as it is (default: %(default)s)')
    model.add_argument('--instances', default='0', metavar='N[,N...]', help='roadside instances per unit and frame '
                       '(default: %(default)s); of several the first is the headline')
    model.add_argument('--units', default='1', metavar='N[,N...]', help='roadside units (default: %(default)s)')
    model.add_argument('--queries', type=int, help='queries, without --weights only (default: of the configuration)')
    model.add_argument('--input-size', metavar='WxH', help='network input (default: of the configuration)')
    model.add_argument('--camera-size', metavar='WxH', default='1920x1080', help='of the camera (%(default)s)')
    add_json(model)


def _add_codec(actions) -> None:
    codec = actions.add_parser('codec', help='instance sets to messages and back, in every encoding')
    codec.add_argument('--instances', type=int, default=64, help='per message (default: %(default)s)')
    codec.add_argument('--channels', default='96,256', metavar='C[,C...]', help='channels (default: %(default)s)')
    codec.add_argument('--frames', type=int, default=500, help='messages per encoding (default: %(default)s)')
    add_json(codec)


def _add_node(actions) -> None:
    node = actions.add_parser('node', help='a real node: from the image message to the published tracks')
    node.add_argument('--node', choices=['ego', 'roadside'], default='ego')
    node.add_argument('--config', default='mini', help='model preset or YAML, or tiny: a network that costs next to '
                      'nothing, so that the rest shows (default: %(default)s)')
    node.add_argument('--frames', type=int, default=200, help='timed frames (default: %(default)s)')
    node.add_argument('--warmup', type=int, default=20)
    node.add_argument('--threads', type=int, default=1, help='of the node (default: %(default)s)')
    node.add_argument('--device', default='cpu', help='of the node')
    node.add_argument('--num-tracks', type=int, default=30, help='live tracks that the class bias is shifted to give')
    node.add_argument('--instances', type=int, default=16, help='of a roadside message (default: %(default)s)')
    node.add_argument('--camera-size', metavar='WxH', default='1920x1080', help='(default: %(default)s)')
    node.add_argument('--no-markers', action='store_true', help='nobody listens to markers')
    node.add_argument('--rate-hz', type=float, default=0.0, help='of the frames, answered or not (default: each comes '
                      'after the answer to the one before)')
    add_json(node)


def _add_data(actions) -> None:
    data = actions.add_parser('data', help='frames per second of generator, readers and augmentation')
    data.add_argument('--seconds', type=float, default=2.0, help='length of the scene (default: %(default)s)')
    data.add_argument('--camera-size', metavar='WxH', default='960x540', help='image size (default: %(default)s)')
    data.add_argument('--config', default='mini', help='whose input the augmentation makes (default: %(default)s)')
    data.add_argument('--no-bag', action='store_true', help='leave bags out, which need ROS')
    add_json(data)


def _add_train(actions) -> None:
    train = actions.add_parser('train', help='training steps per second, and how long they wait for data')
    train.add_argument('--config', default='mini', help='model preset or YAML (default: %(default)s)')
    train.add_argument('--side', default='vehicle', choices=['vehicle', 'roadside'])
    train.add_argument('--data', nargs='+', type=Path, help='data folders (default: a small scene, made on the spot)')
    train.add_argument('--steps', type=int, default=20, help='timed steps (default: %(default)s)')
    train.add_argument('--warmup', type=int, default=5)
    train.add_argument('--batch-size', type=int, help='streams that make one step (default: of the recipe)')
    train.add_argument('--workers', type=int, default=1, help='processes that prepare frames (default: %(default)s)')
    train.add_argument('--threads', type=int, default=1, help='CPU threads (default: %(default)s)')
    train.add_argument('--device', default='cpu')
    add_json(train)


def run(args: argparse.Namespace) -> int:
    """Measure and print; return 0 when everything was measured."""
    if args.action == 'report':
        return _report(args)
    if hasattr(args, 'device'):
        from ..model.device import check_available
        check_available(args.device)
    measure = {'model': _model, 'codec': _codec, 'node': _node, 'data': _data, 'train': _train}[args.action]
    result = measure(args)
    from ..bench.report import lines
    print('\n'.join(lines(result)))
    if args.json:
        write_figures(args.json, result)
    return 0


def _model(args: argparse.Namespace) -> dict[str, Any]:
    from dataclasses import replace
    from itertools import product

    import torch

    from ..bench.model import PATHS, ModelSetting, Repeats, measure_model
    from ..common.config import named_config
    from ..common.errors import UserError
    from ..common.types import Side
    from ..weights.store import open_model
    torch.set_num_threads(args.threads)
    config = open_model(args.weights).config if args.weights else named_config(args.config)
    if args.queries and args.weights:
        raise UserError('--queries cannot change stored weights; leave --weights out')
    if args.queries:
        config = replace(config, num_queries=args.queries)
    if args.input_size:
        config = replace(config, input_size=parse_size(args.input_size)[::-1])
    default = Repeats.default(args.device)
    repeats = Repeats(default.warmup if args.warmup is None else args.warmup, args.frames or default.frames)
    compared = [name for name in args.execution if name != 'reference']
    if len(compared) > 1:
        raise UserError(f"--execution takes one beside reference, not {' and '.join(compared)}")
    # Results name what is compared with the reference ``fast``, whichever it is.
    paths = tuple(path for path, wanted in zip(PATHS, ('reference' in args.execution, compared)) if wanted)
    rows = []
    for instances, units in product(parse_counts('--instances', args.instances), parse_counts('--units', args.units)):
        setting = ModelSetting(config, Side(args.side), args.weights, instances, units, args.num_tracks,
                               parse_size(args.camera_size), compared[0] if compared else 'fast')
        rows.append(measure_model(setting, args.device, repeats, paths, _wire_codec(config.embed_dims)))
    return rows[0] | ({'rows': rows} if len(rows) > 1 else {})


def _wire_codec(width: int):
    """Return what times the wire format for features of a width, None on a machine without ROS."""
    try:
        from ..bench.ros_codec import codec
    except ImportError:
        return None
    return codec(width)


def _codec(args: argparse.Namespace) -> dict[str, Any]:
    from ..bench.ros_codec import measure_codec
    return measure_codec(args.instances, parse_counts('--channels', args.channels), args.frames)


def _node(args: argparse.Namespace) -> dict[str, Any]:
    from ..bench.ros_node import NodeSetting, measure_node
    return measure_node(NodeSetting(
        args.node, args.config, args.frames, args.warmup, args.threads, args.device, args.num_tracks, args.instances,
        parse_size(args.camera_size), not args.no_markers, args.rate_hz))


def _data(args: argparse.Namespace) -> dict[str, Any]:
    from ..bench.data import measure_data
    from ..common.config import named_config
    return measure_data(args.seconds, parse_size(args.camera_size), named_config(args.config), not args.no_bag)


def _train(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from ..bench.train import TrainSetting, measure_train
    from ..common.config import named_config
    from ..common.types import Side
    torch.set_num_threads(args.threads)
    return measure_train(TrainSetting(
        named_config(args.config), Side(args.side), args.data, args.steps, args.warmup, args.batch_size, args.workers,
        args.device))


def _report(args: argparse.Namespace) -> int:
    from ..bench.report import fill_tables, load_results
    results, behind = load_results(args.results), False
    for document in args.document:
        text = document.read_text(encoding='utf-8')
        filled = fill_tables(text, results)
        if args.check:
            print(f'{document}: ' + ('in step' if filled == text else 'not in step with the results'))
            behind |= filled != text
        else:
            write_atomically(document, filled)
    return int(behind)


def parse_counts(option: str, text: str) -> list[int]:
    """
    Return the numbers of a list like ``0,16,64`` or a range like ``1..4``.

    :raises UserError: for anything else; the text names the option.
    """
    from ..common.errors import UserError
    try:
        if '..' in text:
            first, last = map(int, text.split('..'))
            counts = list(range(first, last + 1))
        else:
            counts = [int(part) for part in text.split(',')]
    except ValueError:
        counts = []
    if not counts or min(counts) < 0:
        raise UserError(f"{option} must look like 0,16,64 or 1..4, not '{text}'")
    return counts


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of ``WxH``."""
    from .synth import parse_size as parse
    return parse(text)
