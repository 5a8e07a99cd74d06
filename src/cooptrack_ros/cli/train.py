"""Train a network: pictures first, then each side, then cooperation."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

SUMMARY = 'train vehicle, roadside and cooperative networks'

_DEFAULT_RECIPE = {'image': 'mini-image', 'vehicle': 'mini', 'roadside': 'mini', 'cooperative': 'mini-cooperative'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('stage', choices=list(_DEFAULT_RECIPE),
                        help='image: backbone on single pictures; then stage 1 per side; then stage 2')
    parser.add_argument('--data', nargs='+', required=True, type=Path,
                        help='data folders, or folders of seed_* folders')
    parser.add_argument('--config', default='mini', help='model preset or YAML of overrides')
    parser.add_argument('--recipe', help='training recipe (default: that of the stage)')
    parser.add_argument('--out', required=True, type=Path, help='run folder; an existing run is resumed')
    parser.add_argument('--init', type=Path, help='run folder or model folder to start from')
    parser.add_argument('--roadside', help='model whose roadside network sends the messages (stage cooperative)')
    parser.add_argument('--side', choices=['vehicle', 'roadside'], help='stage image: pictures of this side only')
    parser.add_argument('--steps', type=int, help='optimiser steps')
    parser.add_argument('--minutes', type=float, help='time budget; the schedule then follows the clock')
    parser.add_argument('--learning-rate', type=float)
    parser.add_argument('--clip-length', type=int, help='frames of a training clip; longer ones teach tracks to end')
    parser.add_argument('--slice-minutes', type=float, help='stop with a checkpoint after so long, to be resumed by '
                        'the same command (exit status 3)')
    parser.add_argument('--checkpoint-every', type=int, help='optimiser steps between checkpoints')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, cuda:1, ...')
    parser.add_argument('--export', type=Path, help='model folder that gets the weights at the end')


def run(args: argparse.Namespace) -> int:
    """Train; return 0 when the run is complete."""
    import torch

    from ..core.config import named_config
    from ..core.errors import UserError
    from ..core.types import Side
    from ..model.store import open_model
    from ..train import run as runs
    from ..train.recipe import RECIPES
    name = args.recipe or _DEFAULT_RECIPE[args.stage]
    if name not in RECIPES:
        raise UserError(f"unknown recipe '{name}'; known: {', '.join(RECIPES)}")
    changes = {'steps': args.steps, 'learning_rate': args.learning_rate, 'clip_length': args.clip_length,
               'checkpoint_every': args.checkpoint_every}
    recipe = replace(RECIPES[name], **{k: v for k, v in changes.items() if v is not None})
    if args.minutes is not None and args.steps is None:
        recipe = replace(recipe, steps=10 ** 9)
    config = named_config(args.config)
    torch.set_num_threads(args.threads)
    if args.side and args.stage != 'image':
        raise UserError('--side belongs to stage image; the other stages name their side')
    if args.stage == 'image':
        sides = (Side(args.side),) if args.side else (Side.VEHICLE, Side.ROADSIDE)
        stage, stream = runs.image_run(config, recipe, args.data, sides, args.device)
    else:
        side = Side(args.stage)
        messages = None
        if side is Side.COOPERATIVE:
            if args.roadside is None:
                raise UserError('stage cooperative needs --roadside MODEL, whose network sends the messages')
            messages = runs.collect_messages(open_model(args.roadside), args.data, args.out / 'messages', print,
                                             args.device)
        stage, stream = runs.tracking_run(config, recipe, side, args.data, args.init, messages, args.device)
    print(f'{stream.num_frames} training frames, recipe {name}, run folder {args.out}')
    loop = _run_with_progress(runs, stage, stream, config, recipe, args)
    if loop.fraction < 1:
        print(f'this slice of time is over at step {loop.step}; the same command goes on')
        return 3
    if args.export and args.stage != 'image':
        print('weights:', runs.export(args.export, stage, recipe, loop, args.data))
    return 0


def _run_with_progress(runs, stage, stream, config, recipe, args):
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    columns = (TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(args.stage, total=1.0)

        def report(step: int, fraction: float, means: dict[str, float]) -> None:
            losses = sum(v for k, v in means.items() if k != 'grad_norm')
            progress.update(task, completed=fraction, description=f'{args.stage} step {step} loss {losses:.2f}')
        return runs.train(stage, stream, config, recipe, args.out, args.minutes, report, args.slice_minutes)
