"""
What pretraining on unlabelled clouds is worth for detection with few labels (CooPre), on generated scenes.

    python benchmarks/coopre.py --out runs/coopre --json benchmarks/results/coopre.json --picture docs/coopre.png

Arms: from scratch; pretraining on the vehicle's clouds alone; on those of all agents together; and from scratch with as
many more steps as take the time of that pretraining. All finetune with the same labelled scenes, by seed, and are
measured on scenes of other seeds: AP of vehicles by distance of the centres, overall, by range, and for those that the
vehicle's own sensor does not see. Then transfer: pretrained with one kind of sensors, finetuned with another, with the
fewest labels. What is there stays, the file of results is written after each run, times are those of the processor.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from coopre_detector import Detector, changed, measure
from coopre_scenes import GRID, KINDS, CloudScene, scenes
from evaluation import cell_of

from cooptrack_ros.bench.machine import describe_machine
from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.common.outputs import check_file
from cooptrack_ros.data.synth.many import parse_seeds
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.sizes import MINI_LIDAR
from cooptrack_ros.train.lidar import measure as reconstruction
from cooptrack_ros.train.lidar.stage import LidarStage
from cooptrack_ros.train.lidar.stream import CloudStream
from cooptrack_ros.train.loop import TrainLoop
from cooptrack_ros.train.recipe import RECIPES, TrainConfig
from cooptrack_ros.weights.encoder_file import load_encoder, save_encoder

SCHEMA = 'cooptrack-bench-coopre/1'
SCRATCH, EGO, ALL, LONGER = 'scratch', 'ego pretraining', 'cooperative pretraining', 'scratch, same time'
AGENTS = {EGO: 'ego', ALL: 'all'}
DENSE, SPARSE = KINDS
_HELD_OUT = 0.1
"""Share of the unlabelled frames, the first ones, on which the reconstruction is measured."""


class Run(NamedTuple):
    """One finetuning."""

    arm: str
    source: str
    """Kind of sensors of the pretraining."""
    kind: str
    """That of the finetuning and of the measurement."""
    labelled: int
    seed: int


def runs(args: argparse.Namespace) -> Iterator[Run]:
    """Yield all runs: the arms from the fewest labels on, then the transfer."""
    for labelled in args.labelled:
        for seed in range(args.seeds):
            yield from (Run(arm, DENSE, DENSE, labelled, seed) for arm in (SCRATCH, EGO, ALL, LONGER))
    if args.transfer:
        for seed in range(args.seeds):
            yield Run(SCRATCH, SPARSE, SPARSE, args.labelled[0], seed)
            yield from (Run(ALL, source, kind, args.labelled[0], seed) for source, kind in (
                (SPARSE, SPARSE), (DENSE, SPARSE), (SPARSE, DENSE)))


def recipe(args: argparse.Namespace, arm: str) -> TrainConfig:
    """Return that of a pretraining."""
    base = RECIPES['lidar-pretraining']
    return replace(base, steps=args.pretraining_steps, epochs=0.0, checkpoint_every=100,
                   lidar=replace(base.lidar, agents=AGENTS[arm]))


def pretrain(args: argparse.Namespace, arm: str, kind: str) -> dict[str, Any]:
    """Pretrain an encoder in a folder of its own, or go on; return time and reconstruction."""
    folder = args.out / f'{AGENTS[arm]}_{kind}'
    kept = folder / 'figures.json'
    if kept.is_file():
        return json.loads(kept.read_text())
    frames, settings = scenes(parse_seeds(args.unlabelled), kind, args.out / 'scenes', report), recipe(args, arm)
    torch.manual_seed(0)
    aside = round(_HELD_OUT * len(frames))
    stage = LidarStage(PillarEncoder(GRID, MINI_LIDAR), settings)
    loop = TrainLoop(stage, CloudStream(frames[aside:], GRID, settings), settings, folder)
    started, first = time.process_time(), loop.step
    loop.run(lambda step, share, means: report(f'{arm} ({kind}) step {step}: {means["chamfer"]:.4f}')
             if step % 100 == 0 else None)
    seconds = (time.process_time() - started) / max(loop.step - first, 1) * loop.step
    save_encoder(folder / 'encoder.safetensors', stage.encoder, {'steps': loop.step})
    figures = {'steps': loop.step, 'seconds': round(seconds, 1), 'frames': len(frames) - aside,
               'chamfer_l1': reconstruction.measure(stage, frames[:aside], settings.lidar)}
    write_atomically(kept, json.dumps(figures))
    return figures


def finetune(args: argparse.Namespace, run: Run, known: Sequence[CloudScene], steps: int) -> tuple[Detector, float]:
    """Return a detector and the seconds of a step; the labelled scenes depend on the seed alone."""
    torch.manual_seed(run.seed)
    detector = Detector(MINI_LIDAR)
    if run.arm in AGENTS:
        load_encoder(args.out / f'{AGENTS[run.arm]}_{run.source}', detector.encoder)
    chosen = np.random.default_rng([run.seed, 1]).permutation(len(known))[:run.labelled]
    rng = np.random.default_rng([run.seed, 2])
    optimiser = torch.optim.AdamW(detector.parameters(), lr=args.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.learning_rate, total_steps=steps, pct_start=0.1)
    detector.train()
    started = time.process_time()
    for _ in range(steps):
        batch = [changed(known[k], rng) for k in rng.choice(chosen, args.batch)]
        loss = detector.loss(batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
        optimiser.step()
        schedule.step()
    return detector, (time.process_time() - started) / steps


def report(text: str) -> None:
    """Say how far it is."""
    print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)


def complete(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Do what is missing in the results and write them after each run."""
    done = {Run(**{k: row[k] for k in Run._fields}) for row in result['runs']}
    kinds = [DENSE, *([SPARSE] if args.transfer else [])]
    for kind in kinds:
        for arm in (EGO, ALL) if kind == DENSE else (ALL,):
            result['pretraining'][f'{arm}, {kind}'] = pretrain(args, arm, kind)
            keep(args, result)
    known = {k: scenes(parse_seeds(args.known), k, args.out / 'scenes', report, 1) for k in kinds}
    tested = {k: scenes(parse_seeds(args.test), k, args.out / 'scenes', report, 1) for k in kinds}
    for run in runs(args):
        if run in done:
            continue
        steps = args.steps
        if run.arm == LONGER:
            cost = np.mean([row['seconds_per_step'] for row in result['runs'] if row['arm'] == SCRATCH])
            steps += round(result['pretraining'][f'{ALL}, {run.kind}']['seconds'] / float(cost))
        detector, seconds = finetune(args, run, known[run.kind], steps)
        row = {**run._asdict(), 'steps': steps, 'seconds_per_step': round(seconds, 4),
               'AP': measure(detector, tested[run.kind])}
        result['runs'].append(row)
        keep(args, result)
        report(f'{run.arm}, {run.source} to {run.kind}, {run.labelled} labelled, seed {run.seed}: AP at 1 m '
               f'{row["AP"]["all"]["1"]:.3f}, hidden from the vehicle {row["AP"]["hidden_from_ego"]["1"] or 0:.3f}')


def keep(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write the results."""
    write_atomically(args.json, json.dumps(result, indent=1) + '\n')


def by_arm(rows: Sequence[Mapping[str, Any]], group: str, threshold: str) -> dict[tuple, list[float]]:
    """Return the AP of all seeds by arm, kinds of sensors and number of labelled scenes."""
    found = defaultdict(list)
    for row in rows:
        found[row['arm'], row['source'], row['kind'], row['labelled']].append(row['AP'][group][threshold])
    return dict(found)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the results as Markdown: mean and standard deviation of the seeds."""
    groups = list(rows[0]['AP'])
    columns = [('all', '0.5'), ('all', '1'), ('all', '2'), *((g, '1') for g in groups if g != 'all')]
    cells = [by_arm(rows, *column) for column in columns]
    lines = ['| labelled | pretrained with | finetuned with | arm | '
             + ' | '.join(f'{group}, {threshold} m' for group, threshold in columns) + ' |',
             '|' + '---|' * (len(columns) + 4)]
    for key in cells[0]:
        arm, source, kind, labelled = key
        lines.append(f'| {labelled} | {source if arm in AGENTS else "-"} | {kind} | {arm} | '
                     + ' | '.join(cell_of(of[key]) for of in cells) + ' |')
    return '\n'.join(lines)


def draw(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw AP over the number of labelled scenes, overall and for what the vehicle does not see."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from cooptrack_ros.viz.curves import LINE_COLOURS
    figure = Figure(figsize=(11, 4.2), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, (group, title) in zip(figure.subplots(1, 2), (
            ('all', 'all vehicles'), ('hidden_from_ego', 'those that the ego sensor does not see')), strict=True):
        found = {key: values for key, values in by_arm(rows, group, '1').items() if key[1:3] == (DENSE, DENSE)}
        for colour, arm in zip(LINE_COLOURS, (SCRATCH, EGO, ALL, LONGER), strict=False):
            labelled = sorted(key[3] for key in found if key[0] == arm)
            means, spreads = (np.array([of(found[arm, DENSE, DENSE, n]) for n in labelled]) for of in (np.mean, np.std))
            axes.errorbar(labelled, means, spreads, color=colour, label=arm, capsize=3, marker='o', markersize=4)
        axes.set_xscale('log', base=2)
        axes.set_xlabel('labelled scenes')
        axes.set_ylabel('AP, centre within 1 m')
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path)


def main() -> None:
    """Run what is missing, print the table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, help='folder for scenes and pretrainings')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--picture', type=Path, help='file of the plot')
    parser.add_argument('--unlabelled', default='1-100', help='seeds of the scenes of the pretraining')
    parser.add_argument('--known', default='201-264', help='seeds of the scenes whose labels are known')
    parser.add_argument('--test', default='20001-20050', help='seeds of the scenes that measure')
    parser.add_argument('--labelled', type=int, nargs='+', default=[4, 16, 64], help='labelled scenes')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, default=80, help='of a finetuning')
    parser.add_argument('--batch', type=int, default=2, help='scenes of a step')
    parser.add_argument('--learning-rate', type=float, default=2e-3)
    parser.add_argument('--pretraining-steps', type=int, default=400)
    parser.add_argument('--transfer', action='store_true', help='also between kinds of sensors')
    args = parser.parse_args()
    check_file(args.json)
    torch.set_num_threads(1)
    settings = {k: v for k, v in vars(args).items() if k not in ('out', 'json', 'picture', 'transfer')}
    result = {'schema': SCHEMA, 'machine': describe_machine(), 'settings': settings, 'pretraining': {}, 'runs': []}
    if args.json.is_file():
        before = json.loads(args.json.read_text())
        if before['settings'] != settings:
            parser.error(f'{args.json} has results of other settings: name another file')
        result = before
    complete(args, result)
    print(table(result['runs']))
    if args.picture:
        draw(args.picture, result['runs'])


if __name__ == '__main__':
    main()
