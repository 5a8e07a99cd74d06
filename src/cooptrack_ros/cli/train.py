"""Train a network: images or detection first, then each side, then cooperation."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

from ..common.config import NOMINAL_HZ
from ..data.rate import RATES_HZ
from ..data.spd.labels import VELOCITY_LABELS
from .flags import add_threads

SUMMARY = 'train vehicle, roadside and cooperative networks'

_LIDAR, _BEV_FUSION = 'lidar-pretraining', 'bev-fusion'
TIME_LIMIT_REACHED = 3
"""Exit status when the time limit is reached before the end of the training."""
_STAGES = {
    'image': 'backbone on single images', 'detection': 'one side without tracks',
    'vehicle': 'stage 1', 'roadside': 'stage 1', 'cooperative': 'stage 2',
    'flow': 'how roadside features go on in time', 'occupancy': 'voxels on the frames of a tracker',
    'lidar-pretraining': 'encoder of point clouds, without labels',
    'bev-fusion': 'fusion of the BEV features of both sides, for the mode of that name'}
_HEAR = ('cooperative', 'flow', 'occupancy', 'bev-fusion')
"""Stages that can take messages."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('stage', choices=list(_STAGES), help='; '.join(f'{k}: {v}' for k, v in _STAGES.items()))
    parser.add_argument('--data', nargs='+', required=True, type=Path,
                        help='data folders, or folders of seed_* folders')
    parser.add_argument('--synth-scenes', metavar='A-B',
                        help='synthetic scenes to generate first in the (first) data folder; '
                        'those that are there stay')
    parser.add_argument('--scene-seconds', type=float, default=1.5, help='length of each (default: %(default)s)')
    parser.add_argument('--config', default='mini', help='model preset or YAML of overrides; mini_lidar or r50_lidar: '
                        'with a point cloud branch; stage occupancy: mini or trackocc_r50, the head; not for the '
                        'stage bev-fusion, where that of --init counts')
    parser.add_argument('--recipe', help='training recipe or YAML that names a recipe and overrides its keys '
                        '(default: that of configuration and stage)')
    parser.add_argument('--out', required=True, type=Path, help='run folder; an existing run is resumed')
    parser.add_argument('--init', type=Path, nargs='+', default=[],
                        help='run folders, model folders or files with backbone weights to start from; what a later '
                        'one holds counts')
    parser.add_argument('--roadside', help='model whose roadside network sends the messages (stages cooperative, '
                        'flow; occupancy on the cooperative side, which else receives none; bev-fusion, default '
                        'there: that of --init)')
    parser.add_argument('--messages', type=Path, help='folder that keeps what it sent, to be shared by several runs '
                        '(default: in the run folder)')
    parser.add_argument('--side', choices=['vehicle', 'roadside', 'cooperative'],
                        help='stage detection: which side; stage image: images of this side only; stage occupancy: '
                        'whose network (default there: cooperative)')
    parser.add_argument('--early', action='store_true', help='stages vehicle and detection: the vehicle has the images '
                        'of its partner too, and the labels of both (early fusion)')
    parser.add_argument('--queries', choices=['own', 'tracker'], help='stage occupancy: things that the head follows '
                        'itself, or the live tracks of the model of --init, which is not trained (default: tracker)')
    parser.add_argument('--agents', choices=['all', 'ego'], help='stage lidar-pretraining: whose points are rebuilt, '
                        'those of all agents (default) or of the vehicle alone')
    parser.add_argument('--hz', type=int, choices=RATES_HZ, help='learn from so many frames a second of every '
                        'recording; lives and gaps of tracks follow (default: that of the recipe, all)')
    parser.add_argument('--steps', type=int, help='optimiser steps')
    parser.add_argument('--epochs', type=float, help='passes over the training frames')
    parser.add_argument('--schedule-minutes', type=float, help='time budget; the schedule then follows the clock')
    parser.add_argument('--batch-size', type=int, help='streams that make one step, all processes together')
    parser.add_argument('--grad-accum-steps', type=int,
                        help='parts into which a process cuts its streams, to save memory')
    parser.add_argument('--precision', help='float32, bfloat16 or float16 for backbone, neck and BEV encoder')
    parser.add_argument('--learning-rate', type=float)
    parser.add_argument('--clip-length', type=int, help='frames of a training clip; longer ones teach tracks to end')
    parser.add_argument('--velocity-labels', choices=VELOCITY_LABELS, help='velocities of the labels: published ones '
                        '(difference to the next frame, 0 at the end of a track) or central differences (default: that '
                        'of the recipe)')
    parser.add_argument('--time-limit-minutes', type=float,
                        help='stop with a checkpoint after so long, to be resumed by '
                        f'the same command (exit status {TIME_LIMIT_REACHED})')
    parser.add_argument('--checkpoint-every', type=int, help='optimiser steps between checkpoints')
    parser.add_argument('--workers', type=int, default=0, help='processes that prepare frames (default: %(default)s)')
    add_threads(parser)
    parser.add_argument('--device', default='cpu', help='cpu, or cuda; under torchrun each process takes its own GPU')
    parser.add_argument('--export', type=Path, help='model folder that gets the weights at the end')


def run(args: argparse.Namespace) -> int:
    """Train; return 0 when the run is complete."""
    import torch

    from ..common.outputs import check_folder
    from ..train.ranks import Ranks
    _check(args)
    for folder in filter(None, (args.out, args.export)):
        check_folder(folder)
    started = time.monotonic()
    torch.set_num_threads(args.threads)
    ranks = Ranks.join(args.device)
    try:
        return _run(args, ranks, started)
    finally:
        ranks.leave()


def _check(args: argparse.Namespace) -> None:
    from ..common.errors import UserError
    if args.roadside and args.stage not in _HEAR:
        raise UserError(f"--roadside belongs to the stages {', '.join(_HEAR)}")
    if args.side and args.stage not in ('image', 'detection', 'occupancy'):
        raise UserError('--side belongs to the stages image, detection and occupancy; the other stages name their side')
    if args.side == 'cooperative' and args.stage != 'occupancy':
        raise UserError('--side cooperative belongs to the stage occupancy')
    if args.early and (args.stage, args.side) not in (('vehicle', None), ('detection', 'vehicle')):
        raise UserError('--early belongs to the vehicle in the stages vehicle and detection')
    if args.queries and args.stage != 'occupancy':
        raise UserError('--queries belongs to the stage occupancy')
    if args.agents and args.stage != _LIDAR:
        raise UserError(f'--agents belongs to the stage {_LIDAR}')
    if args.export and args.stage == _LIDAR:
        raise UserError(f'--export is for networks of a tracker: the stage {_LIDAR} leaves its encoder in --out')
    if args.stage == 'detection' and args.side is None:
        raise UserError('stage detection needs --side vehicle or --side roadside')
    if args.stage in ('cooperative', 'flow') and args.roadside is None:
        raise UserError(f'stage {args.stage} needs --roadside MODEL, whose network sends the messages')
    if args.stage == 'occupancy' and args.roadside and args.side not in (None, 'cooperative'):
        raise UserError(f'--roadside sends messages to the cooperative side, not to --side {args.side}')
    if args.stage == 'occupancy' and args.export and args.queries == 'own':
        raise UserError('--export is for --queries tracker: a head with queries of its own is used from its run folder')


def _run(args: argparse.Namespace, ranks, started: float) -> int:
    from ..common.types import Side
    from ..train import run as runs
    from ..train.recipe import with_steps
    from ..weights.store import open_model
    config, sizes = _configuration(args)
    recipe = _recipe(args, config)
    models = [source for source in args.init if runs.is_model(source)]
    if models and recipe.modalities.freeze_tracker:
        # What stays as it is keeps its switches.
        config = open_model(str(models[-1])).config
    config = config.at_rate(recipe.hz or NOMINAL_HZ)
    if args.synth_scenes and not ranks.agree(ranks.rank or _generate(args, sizes, started)):
        print('the time limit is reached while scenes are generated; the same command goes on')
        return TIME_LIMIT_REACHED
    package = _sender(args, recipe)
    stage, stream = _prepare(args, config, sizes, recipe, ranks, package)
    if args.export and (args.stage == 'occupancy' or (sizes is not None and stage.has_frozen_tracker)):
        runs.check_export(args.export, stage)
    recipe = with_steps(recipe, stream.num_frames)
    if ranks.rank == 0:
        print(f'{stream.num_frames} training frames, {recipe.batch_size} a step, run folder {args.out}')
    sender = package and package.model_id(Side.ROADSIDE)
    if args.stage == _BEV_FUSION:
        sender = _fused(args, recipe).identity
    time_limit_minutes = None
    if args.time_limit_minutes is not None:
        time_limit_minutes = args.time_limit_minutes - (time.monotonic() - started) / 60
    with _progress(args.stage, ranks.rank == 0) as report:
        loop = runs.train(stage, stream, config, recipe, args.out, args.schedule_minutes, report, time_limit_minutes,
                          ranks, args.workers, sender, _head_settings(args.stage, stage))
    if loop.fraction < 1:
        print(f'the time limit is reached at step {loop.step}; the same command goes on')
        return TIME_LIMIT_REACHED
    if args.stage == _LIDAR and ranks.rank == 0:
        _finish_lidar(args, stage, recipe, loop)
    if args.export and args.stage != 'image' and ranks.rank == 0:
        print('weights:', _exporter(args, recipe)(args.export, stage, recipe, loop, args.data))
    return 0


def _sender(args: argparse.Namespace, recipe):
    """Return the model whose roadside network sends what is learned from, or None."""
    from ..weights.store import open_model
    if args.stage == _BEV_FUSION:
        return _fused(args, recipe).roadside
    if not args.roadside or args.stage == 'image':
        return None
    return open_model(args.roadside).at_rate(recipe.hz or NOMINAL_HZ)


def _fused(args: argparse.Namespace, recipe):
    """Return the models whose BEV features are fused."""
    from ..train.bev_fusion.start import FusedModels
    return FusedModels.of(args.init, args.roadside, recipe.hz)


def _head_settings(name: str, stage) -> dict:
    """Return what tells a run of an occupancy head from others."""
    if name != 'occupancy':
        return {}
    from ..train.occupancy.start import head_settings
    return head_settings(stage)


def _exporter(args: argparse.Namespace, recipe):
    """Return what writes the result of a stage into a model folder."""
    from ..train import run as runs
    from ..train.occupancy.start import export_head
    if args.stage == _BEV_FUSION:
        return _fused(args, recipe).export
    return {'flow': runs.export_flow, 'occupancy': export_head}.get(args.stage, runs.export)


def _configuration(args: argparse.Namespace):
    """
    Return the configuration of the network, and the sizes of what the stage adds to it.

    These are those of the head in the stage occupancy, else of the point cloud branch, or None.
    """
    from ..common.config import named_config
    from ..common.errors import UserError
    from ..model.lidar.sizes import BRANCHES, named_branch
    from ..train.occupancy.start import head_of
    if args.stage == 'occupancy':
        return head_of(args.config, args.queries or 'tracker', args.init)
    if args.stage == _BEV_FUSION:
        from ..train.bev_fusion.start import FusedModels
        return FusedModels.of(args.init, args.roadside).vehicle.config, None
    if args.stage != _LIDAR and args.config not in BRANCHES:
        return named_config(args.config), None
    if args.stage in ('image', 'flow'):
        raise UserError(f'--config {args.config} has a point cloud branch, which the stage {args.stage} does not train')
    return named_branch(args.config)


def _finish_lidar(args: argparse.Namespace, stage, recipe, loop) -> None:
    """Write encoder, figures and a picture."""
    from ..train.lidar.measure import picture_of
    from ..train.lidar.run import finish
    from ..viz.image_files import write_image
    from ..viz.reconstruction import draw_reconstruction
    figures = finish(args.out, stage, recipe, loop, args.data)
    for name, row in figures['chamfer_l1'].items():
        print(f'{name}: {row["cells"]} hidden cells, rebuilt {row["rebuilt_m"]} m, neighbour {row["neighbour_m"]} m')
    if stage.held_out:
        parts = picture_of(stage, stage.held_out[0], recipe.lidar)
        write_image(args.out / 'reconstruction.png', draw_reconstruction(recipe.lidar.agents, **parts))
    print(f'encoder and figures: {args.out}')


def _recipe(args: argparse.Namespace, config):
    from ..common.errors import UserError
    from ..train.recipe import load_recipe, recipe_family
    stage = {'detection': f'detection-{args.side}', 'occupancy': f'occupancy-{args.queries or "tracker"}'}.get(
        args.stage, args.stage)
    recipe = load_recipe(args.recipe or (stage if stage in ('flow', _LIDAR) else f'{recipe_family(config)}-{stage}'))
    names = ('batch_size', 'grad_accum_steps', 'precision', 'learning_rate', 'clip_length', 'checkpoint_every',
             'epochs', 'velocity_labels', 'hz')
    changes = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if (args.hz or recipe.hz) and args.stage in ('flow', _LIDAR):
        raise UserError(f'--hz, and hz of a recipe, is not for the stage {args.stage}, which learns from all frames')
    if args.steps is not None or args.schedule_minutes is not None:
        changes |= {'steps': args.steps or 10 ** 9, 'epochs': 0.0}
    if args.agents is not None:
        changes['lidar'] = replace(recipe.lidar, agents=args.agents)
    return replace(recipe, **changes)


def _prepare(args: argparse.Namespace, config, sizes, recipe, ranks, package):
    """Return stage and stream; :param package: model whose roadside network sends the messages, or None."""
    from ..common.types import Side
    from ..train import run as runs
    if args.stage == 'image':
        sides = (Side(args.side),) if args.side else (Side.VEHICLE, Side.ROADSIDE)
        return runs.image_run(config, recipe, args.data, sides, ranks.device, args.init)
    if args.stage == _LIDAR:
        from ..train.lidar.run import lidar_run
        return lidar_run(args.config, recipe, args.data, ranks.device, args.init)
    if args.stage == _BEV_FUSION:
        return _prepare_fusion(args, recipe, ranks)
    messages = flow = None
    if package is not None:
        cache = args.messages or args.out / 'messages'
        if ranks.rank == 0:
            messages = runs.collect_messages(package, args.data, cache, print, ranks.device, recipe.hz)
        ranks.agree(1)
        messages = messages or runs.collect_messages(package, args.data, cache, print, ranks.device, recipe.hz)
        if args.stage == 'flow':
            return runs.flow_run(package, recipe, args.data, messages)
        flow = package.flow() if config.method.compensation == 'flow' else None
    if args.stage == 'occupancy':
        from ..train.occupancy.start import occupancy_run
        return occupancy_run(config, sizes, recipe, Side(args.side or 'cooperative'), args.data, args.init, messages,
                             ranks.device, flow)
    side = Side(args.side or args.stage)
    return runs.tracking_run(config, recipe, side, args.data, args.init, messages, ranks.device, flow, sizes,
                             args.early)


def _prepare_fusion(args: argparse.Namespace, recipe, ranks):
    """Return stage and stream of BEV fusion; the first process computes the features of both sides."""
    from ..train.bev_fusion.maps import collect_maps
    from ..train.bev_fusion.start import bev_fusion_run
    models = _fused(args, recipe)
    if args.export:
        models.check_export(args.export)

    def collect(datasets):
        places = models.vehicle, models.roadside, datasets, args.messages or args.out / 'messages'
        if ranks.rank == 0:
            collect_maps(*places, print, ranks.device, recipe.hz)
        ranks.agree(1)
        return collect_maps(*places, print, ranks.device, recipe.hz)
    return bev_fusion_run(models.vehicle, recipe, args.data, collect, ranks.device)


def _generate(args: argparse.Namespace, sizes, started: float) -> bool:
    """Generate the scenes that are missing; return whether all are there. :param sizes: see ``_configuration``."""
    import math

    from ..data.synth.many import generate_many, parse_seeds
    until = math.inf if args.time_limit_minutes is None else started + 60 * args.time_limit_minutes
    lidar = args.stage != 'occupancy' and sizes is not None
    options = {'seconds': args.scene_seconds, 'size': (960, 540), 'units': 1, 'lidar': lidar}
    if args.stage == 'occupancy':
        from ..model.occupancy.sizes import HEADS
        options['occupancy'] = HEADS[args.config][1].profile
    jobs = len(os.sched_getaffinity(0))
    print(f'scenes {args.synth_scenes} of {args.scene_seconds} s in {args.data[0]}, {jobs} at a time')
    return generate_many(args.data[0], parse_seeds(args.synth_scenes), options, jobs, until=until)


def _progress(name: str, shown: bool):
    """Return a context that gives a function which shows losses, learning rate and the time left."""
    from contextlib import contextmanager

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from ..train.run_log import FIGURES

    @contextmanager
    def bar():
        columns = (TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=not shown) as progress:
            task = progress.add_task(name, total=1.0)

            def report(step: int, fraction: float, means: dict[str, float]) -> None:
                losses = sum(v for k, v in means.items() if k not in FIGURES)
                progress.update(task, completed=fraction,
                                description=f'{name} step {step} loss {losses:.2f} lr {means["lr"]:.1e}')
            yield report
    return bar()
