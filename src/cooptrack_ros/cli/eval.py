"""Measure a model: detection, tracking, bytes and time."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..common.config import ENCODING, EXECUTIONS, LATE_RULE
from ..common.files import write_atomically
from ..common.method_config import COMPENSATION
from ..common.outputs import check_folder, write_figures
from ..common.types import SENSORS, Sensors
from ..data.rate import RATES_HZ
from ..data.spd.labels import CENTRAL, VELOCITY_LABELS
from ..eval.channel import Channel
from .eval_options import is_preset, options_of, print_differences, read_overrides, restored
from .flags import add_flag, add_flags, add_json, add_threads, settings_of

SUMMARY = 'run a model over data and measure detection and tracking'
_SIDES = ('vehicle', 'roadside')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--data', nargs='+', type=Path,
                        help='data folders, with one roadside unit or several, or folders of seed_* folders')
    parser.add_argument('--rerun', type=Path, metavar='FILE', help='make the rows of a file of --json again, with the '
                        'options that it names, and tell for each figure whether it is equal; --data: where the data '
                        'is now')
    parser.add_argument('--task', choices=['tracking', 'occupancy'], default='tracking', help='what is measured: '
                        'boxes, or voxels with class and identity, which need labels of voxels (default: %(default)s)')
    parser.add_argument('--units', nargs='+', metavar='NAME',
                        help='roadside units that take part, such as unit_1 unit_2 (default: all); the labels stay '
                        'those of all units of the data')
    parser.add_argument('--velocity-labels', choices=VELOCITY_LABELS, default=CENTRAL,
                        help='velocities of the labels, which the oracle reports (default: %(default)s)')
    parser.add_argument('--weights', default='mini', help='model name, folder, or random:PRESET; with --task occupancy '
                        'a model with an occupancy head, or the folder of a run of `cooptrack train occupancy`')
    parser.add_argument('--roadside', help='model whose roadside network sends (default: that of --weights)')
    parser.add_argument('--mode', default='cooperative', help='none, late, late_ab3dmot, late_ab3dmot_dair, '
                        'distance_association, cooperative, zero_features, no_messages, bev_fusion, '
                        'bev_fusion_ab3dmot, all (that the model has weights for); vehicle or roadside: one side '
                        'against its own labels')
    parser.add_argument('--bev-budget', type=int, metavar='BYTES', help='modes bev_fusion: units send the BEV cells '
                        'that they are most confident of, as many as fit into so many bytes of float32 a message '
                        '(default: all cells)')
    parser.add_argument('--early', action='store_true', help='with --mode none: the vehicle has the images of its '
                        'partner too, for a network that was trained with them (early fusion)')
    parser.add_argument('--config', help='YAML of overrides of the configuration of the model, or a preset name')
    parser.add_argument('--split', default='val', choices=['val', 'train', 'test', 'test_A', 'all'],
                        help='sequences that count (default: val)')
    parser.add_argument('--hz', type=int, choices=RATES_HZ, help='take so many frames a second, of the vehicle, the '
                        'units and the labels (default: all)')
    add_flag(parser, 'encoding', ENCODING)
    parser.add_argument('--send-embeddings', action='store_true',
                        help='send the positional embeddings too, which receivers can recompute')
    parser.add_argument('--max-instances', type=int, default=900, metavar='N',
                        help='instances per message, the best by score (default: all)')
    parser.add_argument('--online-extrinsics', action='store_true',
                        help='online extrinsic calibration of the unit, from objects that both sides detect')
    add_flag(parser, 'late_rule', LATE_RULE)
    add_flag(parser, 'compensation', COMPENSATION, 'that of the model; asked for here, flow must have its weights')
    parser.add_argument('--execution', default=EXECUTIONS[0], choices=EXECUTIONS,
                        help='of all networks, as the parameter of the nodes (default: %(default)s)')
    parser.add_argument('--sensors', choices=SENSORS, default=SENSORS[0], help='what the vehicle looks with: images, '
                        'point clouds, for which the model needs a point cloud branch, or both (default: %(default)s)')
    parser.add_argument('--unit-sensors', choices=SENSORS, help='what the units look with (default: as --sensors)')
    add_flags(parser, Channel)
    add_json(parser)
    parser.add_argument('--errors', action='store_true', help='tell errors of six kinds apart, by what the vehicle '
                        'and the units find alone; drawn as errors.png in the folder of --results')
    parser.add_argument('--results', type=Path, help='folder for result files in the exchange format, one per mode; '
                        'with --task occupancy for the volumes of all frames, which `cooptrack render` draws')
    parser.add_argument('--limit', type=int, help='at most so many frames per data set')
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the tables; return 0 when all modes were measured, and equal to those of --rerun."""
    import torch

    from ..common.errors import UserError
    from ..data.folders import open_datasets
    from ..eval.selection import Selection
    recorded: dict[str, dict] = {}
    if args.rerun:
        args, recorded = restored(args, add_arguments)
    if not args.data:
        raise UserError('--data is missing; expected one data folder or more, or --rerun FILE')
    torch.set_num_threads(args.threads)
    if args.task == 'occupancy':
        from .eval_occupancy import run_occupancy
        return run_occupancy(args, recorded)
    modes = _checked_modes(args, recorded)
    datasets = open_datasets(args.data, args.units, args.velocity_labels, args.early)
    selection = Selection(None if args.split == 'all' else args.split, args.limit, args.hz)
    evaluation, models = _evaluation(args, datasets, selection)
    modes = list(evaluation.modes) if modes == ['all'] else modes
    _check_bev(args, models['vehicle'], models['roadside'], modes)
    # Before the networks run: labels that cannot be measured end it here.
    oracles = {} if modes[0] in _SIDES else _oracles(datasets, selection, models['vehicle'].config)
    measured, problems = _measure_all(args, evaluation, models, modes)
    _show(args, len(datasets), measured, oracles)
    if args.json:
        write_figures(args.json, measured if len(measured) > 1 else next(iter(measured.values())))
    if problems:
        raise UserError('; '.join(problems))
    return int(print_differences(recorded, measured)) if recorded else 0


def _checked_modes(args: argparse.Namespace, recorded: dict[str, dict]) -> list[str]:
    """Return the modes that are asked for, or were recorded; raise a UserError for options that are not for them."""
    from ..common.errors import UserError
    from ..eval.runner import MODES
    modes = list(recorded) or [args.mode]
    if not set(modes) <= {*MODES, *_SIDES, 'all'}:
        raise UserError(f"unknown mode '{', '.join(modes)}'; known: {', '.join([*MODES, 'all', *_SIDES])}")
    if args.early and modes != ['none']:
        raise UserError(f"--early is for --mode none, not '{args.mode}'")
    if args.errors and modes[0] in _SIDES:
        raise UserError(f"--errors needs a mode of the vehicle and its units, not '{modes[0]}'")
    if args.results:
        check_folder(args.results)
    return modes


def _evaluation(args: argparse.Namespace, datasets, selection):
    """Return what runs on the data, and the models of vehicle and roadside by these names."""
    from ..common.errors import UserError
    from ..eval.runner import Evaluation
    from ..weights.store import open_model
    from ..wire.bev_cells import send_cells
    channel = settings_of(args, Channel)
    roadside = open_model(args.roadside) if args.roadside else None
    package = _open_model(args).with_method(compensation=args.compensation)
    sender = roadside or package
    if args.compensation == 'flow' and sender.flow() is None:
        raise UserError(f"model '{sender.name}' has no flow for its roadside weights (train flow makes one)")
    evaluation = Evaluation(datasets, package, selection, _transmission(args, sender), channel, roadside,
                            args.online_extrinsics, execution=args.execution, bev_budget=args.bev_budget,
                            send_cells=send_cells, late_rule=args.late_rule,
                            sensors=Sensors(args.sensors), unit_sensors=Sensors(args.unit_sensors or args.sensors))
    return evaluation, {'vehicle': package, 'roadside': sender}


def _measure_all(args: argparse.Namespace, evaluation, models: dict,
                 modes: list[str]) -> tuple[dict[str, dict], list[str]]:
    """Return the figures of each mode, and what kept result files from being written."""
    from rich.progress import Progress
    measured, problems = {}, []
    with Progress(transient=True) as progress:
        task = progress.add_task('evaluation', total=len(modes) * evaluation.num_pairs)
        for mode in modes:
            progress.update(task, description=mode)
            measured[mode] = _measure(evaluation, mode, args, models, lambda n: progress.advance(task, n), problems)
    return measured, problems


def _check_bev(args: argparse.Namespace, package, sender, modes: list[str]) -> None:
    """Raise a UserError for a budget that is none, or BEV features that nobody can fuse."""
    from ..common.errors import UserError
    from ..cooperation.bev_cells import cells_within
    from ..eval.ego import BEV_MODES
    from ..weights.bev_fusion_file import load_bev_fusion
    if set(modes) & set(BEV_MODES):
        load_bev_fusion(package, sender)
    elif args.bev_budget is not None:
        raise UserError(f"--bev-budget belongs to the modes {', '.join(BEV_MODES)}, not '{', '.join(modes)}'")
    width = package.config.embed_dims
    if args.bev_budget is not None and cells_within(args.bev_budget, width) < 1:
        raise UserError(f'--bev-budget is {args.bev_budget}, expected at least the {4 * width} bytes of one cell')


def _show(args: argparse.Namespace, num_datasets: int, measured: dict[str, dict], oracles: dict[str, dict]) -> None:
    """Give each row its oracle, and print the tables."""
    from rich.console import Console

    from ..eval import report
    for mode, values in measured.items():
        oracle = oracles.get('vehicle' if mode in ('none', 'no_messages') else 'cooperative', {})
        values |= {'oracle': oracle.get('vehicle'), 'oracle_motion': oracle.get('motion')}
    rows = measured | {f'oracle {k}': v for k, v in oracles.items()}
    console = Console(width=160)
    for table in report.tables(f'{args.weights} on {num_datasets} data sets, class car', rows):
        console.print(table)
    if args.errors:
        _show_errors(console, {m: v['errors'] for m, v in measured.items()}, args.results)


def _show_errors(console, errors: dict[str, dict], folder: Path | None) -> None:
    """Print the table of errors, and draw it if there is a folder for it."""
    from ..eval.report import error_table
    console.print(error_table(errors))
    if folder:
        from ..viz.error_plot import draw_errors
        folder.mkdir(parents=True, exist_ok=True)
        draw_errors(folder / 'errors.png', errors)


def _open_model(args: argparse.Namespace):
    """Return the model, with the configuration changed as asked for."""
    from dataclasses import replace

    from ..common.config import PRESETS, apply_overrides
    from ..common.errors import UserError
    from ..weights.store import open_model
    package = open_model(args.weights)
    if args.config is None:
        return package
    if is_preset(args.config):
        return replace(package, config=PRESETS[args.config])
    try:
        return replace(package, config=apply_overrides(package.config, read_overrides(args.config)))
    except ValueError as error:
        raise UserError(f"--config '{args.config}': {error}") from error


def _keep(path: Path, result: dict) -> str:
    """Write a result file; return what prevented it, empty if it is there: the figures are still to come."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(result))
    except OSError as error:
        return f'{path} cannot be written: {error.strerror}'
    return ''


def _measure(evaluation, mode: str, args: argparse.Namespace, models: dict, advance, problems: list[str]) -> dict:
    from ..common.types import Side
    from ..eval import report
    from ..eval.ego import BEV_MODES
    from ..eval.error_kinds import error_kinds
    from ..eval.origin import origin_of
    fusion = models['vehicle'].card.get('bev_fusion', {}).get('sha256', 'untrained')
    result, cost = (evaluation.run_side(Side(mode), advance) if mode in _SIDES
                    else evaluation.run(mode, advance, args.errors))
    if args.results:
        problems += filter(None, [_keep(args.results / f'{mode}.json', result)])
    frames = max(cost.frames, 1)
    rate = result['frame_rate_hz']
    measured = report.measure(result)
    scenes = report.by_scene(result, measured)
    return {
        'schema': 'cooptrack-eval/2', 'mode': mode, 'weights': args.weights, 'data': [str(p) for p in args.data],
        'split': args.split, 'config': args.config, 'execution': args.execution, 'frame_rate_hz': rate,
        **({'bev_fusion': fusion} if mode in BEV_MODES else {}),
        'units': {name: {'instances_per_frame': unit.instances / frames, 'fused_per_frame': unit.fused / frames}
                  for name, unit in sorted(cost.units.items())},
        'tracks': 'reported by the network (score threshold of the published runtime)',
        **measured, 'scenes': scenes, 'spread': report.spread(scenes),
        **({'errors': error_kinds(result)} if args.errors else {}),
        'payload_bytes_per_second': cost.payload_bytes / frames * rate,
        'serialized_bytes_per_second': cost.serialized_bytes / frames * rate,
        'instances_per_frame': cost.instances / frames,
        'seconds_per_frame': cost.seconds / frames, 'frames': cost.frames,
        'stage_seconds': {k: v / frames for k, v in cost.stage_seconds.items()},
        **origin_of(result, options_of(args, mode), models)}


def _oracles(datasets, selection, config) -> dict[str, dict]:
    from ..common.types import Side
    from ..eval import report
    from ..eval.oracle import ORACLES, oracle_result
    class_range = config.class_range_of(Side.VEHICLE)
    return {name: report.measure(oracle_result(datasets, name, selection, class_range)) for name in ORACLES}


def _transmission(args: argparse.Namespace, package):
    """Return what sends instance sets of a model as real ROS messages; None if it has nothing to send."""
    from ..common.types import Side
    from ..wire.features import FeatureLimits, transmission
    if not package.has(Side.ROADSIDE):
        return None
    return transmission(args.encoding, not args.send_embeddings, args.max_instances, package.sender().complete,
                        FeatureLimits(num_classes=len(package.config.class_names)))
