"""Measure a model: detection, tracking, bytes and time."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ..common.config import COMPENSATION, ENCODING, EXECUTIONS
from ..common.files import write_atomically
from ..common.outputs import check_folder, write_figures
from ..data.spd.labels import CENTRAL, VELOCITY_LABELS
from ..eval.channel import Channel
from .flags import add_flag, add_flags, add_json, settings_of

SUMMARY = 'run a model over data and measure detection and tracking'
_SIDES = ('vehicle', 'roadside')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--data', nargs='+', required=True, type=Path,
                        help='data folders, with one roadside unit or several, or folders of seed_* folders')
    parser.add_argument('--units', nargs='+', metavar='NAME',
                        help='roadside units that take part, such as unit_1 unit_2 (default: all); the labels stay '
                        'those of all units of the data')
    parser.add_argument('--velocity-labels', choices=VELOCITY_LABELS, default=CENTRAL,
                        help='velocities of the labels, which the oracle reports (default: %(default)s)')
    parser.add_argument('--weights', default='mini', help='model name, folder, or random:PRESET')
    parser.add_argument('--roadside', help='model whose roadside network sends (default: that of --weights)')
    parser.add_argument('--mode', default='cooperative', help='none, late, late_ab3dmot, late_ab3dmot_dair, '
                        'distance_association, cooperative, zero_features, no_messages, all; vehicle or '
                        'roadside: one side against its own labels')
    parser.add_argument('--config', help='YAML of overrides of the configuration of the model, or a preset name')
    parser.add_argument('--split', default='val', choices=['val', 'train', 'test', 'test_A', 'all'],
                        help='sequences that count (default: val)')
    add_flag(parser, 'encoding', ENCODING)
    parser.add_argument('--send-embeddings', action='store_true',
                        help='send the positional embeddings too, which receivers can recompute')
    parser.add_argument('--max-instances', type=int, default=900, metavar='N',
                        help='instances per message, the best by score (default: all)')
    parser.add_argument('--online-extrinsics', action='store_true',
                        help='online extrinsic calibration of the unit, from objects that both sides detect')
    add_flag(parser, 'compensation', COMPENSATION, 'that of the model; asked for here, flow must have its weights')
    parser.add_argument('--execution', default=EXECUTIONS[0], choices=EXECUTIONS,
                        help='of all networks, as the parameter of the nodes (default: %(default)s)')
    add_flags(parser, Channel)
    add_json(parser)
    parser.add_argument('--results', type=Path, help='folder for result files in the exchange format, one per mode')
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the table; return 0 when all modes were measured."""
    import torch
    from rich.console import Console
    from rich.progress import Progress

    from ..common.errors import UserError
    from ..data.folders import open_datasets
    from ..eval import report
    from ..eval.runner import MODES, Evaluation
    from ..eval.selection import Selection
    from ..weights.store import open_model
    torch.set_num_threads(args.threads)
    modes = list(MODES) if args.mode == 'all' else [args.mode]
    if modes[0] not in MODES + _SIDES:
        raise UserError(f"unknown mode '{args.mode}'; known: {', '.join([*MODES, 'all', *_SIDES])}")
    if args.results:
        check_folder(args.results)
    datasets = open_datasets(args.data, args.units, args.velocity_labels)
    selection = Selection(None if args.split == 'all' else args.split, args.limit)
    channel = settings_of(args, Channel)
    roadside = open_model(args.roadside) if args.roadside else None
    package = _open_model(args).with_method(compensation=args.compensation)
    sender = roadside or package
    if args.compensation == 'flow' and sender.flow() is None:
        raise UserError(f"model '{sender.name}' has no flow for its roadside weights (train flow makes one)")
    evaluation = Evaluation(datasets, package, selection, _transmission(args, sender), channel, roadside,
                            args.online_extrinsics, execution=args.execution)
    # Before the networks run: labels that cannot be measured end it here.
    oracles = {} if args.mode in _SIDES else _oracles(datasets, selection, package.config)
    measured, problems = {}, []
    with Progress(transient=True) as progress:
        task = progress.add_task('evaluation', total=len(modes) * evaluation.num_pairs)
        for mode in modes:
            progress.update(task, description=mode)
            measured[mode] = _measure(evaluation, mode, args, channel, lambda n: progress.advance(task, n), problems)
    for mode, values in measured.items():
        values['oracle'] = oracles.get('vehicle' if mode in ('none', 'no_messages') else 'cooperative')
    rows = {m: v['vehicle'] for m, v in measured.items()} | {f'oracle {k}': v for k, v in oracles.items()}
    Console(width=160).print(report.table(f'{args.weights} on {len(datasets)} data sets, class car', rows))
    if args.json:
        content = measured if args.mode == 'all' else next(iter(measured.values()))
        write_figures(args.json, content)
    if problems:
        raise UserError('; '.join(problems))
    return 0


def _open_model(args: argparse.Namespace):
    """Return the model, with the configuration changed as asked for."""
    from dataclasses import replace

    from ..common.config import PRESETS, apply_overrides
    from ..common.errors import UserError
    from ..common.reading import read_yaml
    from ..weights.store import open_model
    package = open_model(args.weights)
    if args.config is None:
        return package
    if args.config in PRESETS:
        return replace(package, config=PRESETS[args.config])
    try:
        return replace(package, config=apply_overrides(package.config, read_yaml(Path(args.config))))
    except (OSError, ValueError) as error:
        raise UserError(f"--config '{args.config}', which is none of {', '.join(PRESETS)}: {error}") from error


def _keep(path: Path, result: dict) -> str:
    """Write a result file; return what prevented it, empty if it is there: the figures are still to come."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(result))
    except OSError as error:
        return f'{path} cannot be written: {error.strerror}'
    return ''


def _measure(evaluation, mode: str, args: argparse.Namespace, channel: Channel, advance, problems: list[str]) -> dict:
    from ..common.types import Side
    from ..eval import report
    from ..eval.nuscenes import evaluate
    result, cost = (evaluation.run_side(Side(mode), advance) if mode in _SIDES else evaluation.run(mode, advance))
    if args.results:
        problems += filter(None, [_keep(args.results / f'{mode}.json', result)])
    metrics = evaluate(result)
    frames = max(cost.frames, 1)
    rate = result['frame_rate_hz']
    return {
        'schema': 'cooptrack-eval/1', 'mode': mode, 'weights': args.weights, 'data': [str(p) for p in args.data],
        'split': args.split, 'config': args.config, 'execution': args.execution,
        'units': {name: {'instances_per_frame': unit.instances / frames, 'fused_per_frame': unit.fused / frames}
                  for name, unit in sorted(cost.units.items())},
        'channel': {**asdict(channel), 'online_extrinsics': args.online_extrinsics,
                    'compensation': args.compensation,
                    'encoding': args.encoding, 'send_embeddings': args.send_embeddings,
                    'max_instances': args.max_instances},
        'tracks': 'reported by the network (score threshold of the published runtime)',
        'vehicle': report.headline(metrics), 'per_class': report.per_class(metrics),
        'payload_bytes_per_second': cost.payload_bytes / frames * rate,
        'serialized_bytes_per_second': cost.serialized_bytes / frames * rate,
        'instances_per_frame': cost.instances / frames,
        'seconds_per_frame': cost.seconds / frames, 'frames': cost.frames,
        'stage_seconds': {k: v / frames for k, v in cost.stage_seconds.items()}}


def _oracles(datasets, selection, config) -> dict[str, dict]:
    from ..common.types import Side
    from ..eval import report
    from ..eval.nuscenes import evaluate
    from ..eval.oracle import ORACLES, oracle_result
    class_range = config.class_range_of(Side.VEHICLE)
    return {name: report.headline(evaluate(oracle_result(datasets, name, selection, class_range))) for name in ORACLES}


def _transmission(args: argparse.Namespace, package):
    """Return what sends instance sets of a model as real ROS messages; None if it has nothing to send."""
    from ..common.types import Side
    from ..wire.features import FeatureLimits, transmission
    if not package.has(Side.ROADSIDE):
        return None
    return transmission(args.encoding, not args.send_embeddings, args.max_instances, package.sender().complete,
                        FeatureLimits(num_classes=len(package.config.class_names)))
