"""Train a network: images or detection first, then each side, then cooperation."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common.config import NOMINAL_HZ
from ..data.rate import RATES_HZ
from ..data.spd.labels import VELOCITY_LABELS
from .flags import add_threads
from .train_stages import STAGES, Call, TrainedStage

SUMMARY = 'train vehicle, roadside and cooperative networks'

TIME_LIMIT_REACHED = 3
"""Exit status when the time limit is reached before the end of the training."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('stage', choices=list(STAGES),
                        help='; '.join(f'{name}: {stage.summary}' for name, stage in STAGES.items()))
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
    stage = STAGES[args.stage]
    for given, taken, refusal in (
            (args.roadside, 'roadside' in stage.options,
             f"--roadside belongs to the stages {', '.join(_taking('roadside'))}"),
            (args.side, 'side' in stage.options, f"--side belongs to the stages {_listed(_taking('side'))}; the other "
             'stages name their side'),
            (args.side == 'cooperative', 'cooperative' in stage.sides, '--side cooperative belongs to the stage '
             + _listed([s.name for s in STAGES.values() if 'cooperative' in s.sides])),
            (args.early, stage.takes_early(args), '--early belongs to the vehicle in the stages vehicle and detection'),
            (args.queries, 'queries' in stage.options, f"--queries belongs to the stage {_listed(_taking('queries'))}"),
            (args.agents, 'agents' in stage.options, f"--agents belongs to the stage {_listed(_taking('agents'))}"),
            (args.export, 'export' in stage.options, f'--export is for networks of a tracker: the stage {stage.name} '
             'leaves its encoder in --out')):
        if given and not taken:
            raise UserError(refusal)
    stage.check(args)


def _taking(option: str) -> list[str]:
    """Return the names of the stages that take an option."""
    return [name for name, stage in STAGES.items() if option in stage.options]


def _listed(names: list[str]) -> str:
    """Return names as in a sentence."""
    return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))


def _run(args: argparse.Namespace, ranks, started: float) -> int:
    from ..train import run as runs
    from ..train.recipe import with_steps
    from ..weights.store import open_model
    kind = STAGES[args.stage]
    config, sizes = kind.configuration(args)
    recipe = _recipe(args, config)
    models = [source for source in args.init if runs.is_model(source)]
    if models and recipe.modalities.freeze_tracker:
        # What stays as it is keeps its switches.
        config = open_model(str(models[-1])).config
    config = config.at_rate(recipe.hz or NOMINAL_HZ)
    if args.synth_scenes and not ranks.agree(ranks.rank or _generate(args, kind.scenes(args, sizes), started)):
        print('the time limit is reached while scenes are generated; the same command goes on')
        return TIME_LIMIT_REACHED
    call = Call(args, config, sizes, recipe, ranks)
    sender = kind.sender(call)
    stage, stream = kind.prepare(call, sender)
    if args.export:
        kind.check_export(call, stage)
    call = replace(call, recipe=with_steps(recipe, stream.num_frames))
    if ranks.rank == 0:
        print(f'{stream.num_frames} training frames, {recipe.batch_size} a step, run folder {args.out}')
    loop = _train(call, kind, stage, stream, kind.identity(call, sender), started)
    if loop.fraction < 1:
        print(f'the time limit is reached at step {loop.step}; the same command goes on')
        return TIME_LIMIT_REACHED
    if ranks.rank == 0:
        kind.finish(call, stage, loop)
    return 0


def _train(call: Call, kind: TrainedStage, stage, stream, sender: str | None, started: float):
    """Return the loop of a training that ended or reached its time limit; :param sender: see ``train.run.train``."""
    from ..train import run as runs
    args, left = call.args, None
    if args.time_limit_minutes is not None:
        left = args.time_limit_minutes - (time.monotonic() - started) / 60
    with _progress(kind.name, call.ranks.rank == 0) as report:
        return runs.train(stage, stream, call.config, call.recipe, args.out, args.schedule_minutes, report, left,
                          call.ranks, args.workers, sender, kind.settings(stage))


def _recipe(args: argparse.Namespace, config):
    from ..common.errors import UserError
    from ..train.recipe import load_recipe, recipe_family
    stage = STAGES[args.stage]
    family = '' if stage.own_recipe else f'{recipe_family(config)}-'
    recipe = load_recipe(args.recipe or f'{family}{stage.recipe_of(args)}')
    names = ('batch_size', 'grad_accum_steps', 'precision', 'learning_rate', 'clip_length', 'checkpoint_every',
             'epochs', 'velocity_labels', 'hz')
    changes = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if (args.hz or recipe.hz) and stage.own_recipe:
        raise UserError(f'--hz, and hz of a recipe, is not for the stage {stage.name}, which learns from all frames')
    if args.steps is not None or args.schedule_minutes is not None:
        changes |= {'steps': args.steps or 10 ** 9, 'epochs': 0.0}
    if args.agents is not None:
        changes['lidar'] = replace(recipe.lidar, agents=args.agents)
    return replace(recipe, **changes)


def _generate(args: argparse.Namespace, needed: dict[str, Any], started: float) -> bool:
    """Generate the scenes that are missing; return whether all are there. :param needed: options of the stage."""
    import math

    from ..data.synth.many import generate_many, parse_seeds
    until = math.inf if args.time_limit_minutes is None else started + 60 * args.time_limit_minutes
    options = {'seconds': args.scene_seconds, 'size': (960, 540), 'units': 1, **needed}
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
