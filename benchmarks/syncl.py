"""
Train stage 1 with and without the parts of SynCL, from one start and with the same data in the same order, and compare.

On drawn BEV features (``synthetic_features.py``), which takes minutes a run, or on images of the small network:

    python benchmarks/syncl.py --out runs/syncl --json benchmarks/results/syncl.json --pictures docs
    python benchmarks/syncl.py --out runs/syncl --json syncl.json --data data/train --test data/test \
        --init runs/image_vehicle --steps 3000

Arms: the plain training; a second pass with hybrid matching; the same with filtering; the same with contrast, which is
SynCL; and the plain training with as many more steps as make up for the time that SynCL takes. Then, on drawn features
only: SynCL with other choices, measured on validation sequences; gradients across three frames; and stage 2. Each run
goes on where it was interrupted, runs that are complete stay, and the file of results is written after each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import synthetic_features as features
import torch
import yaml
from evaluation import COMMAND, cell, kept

from cooptrack_ros.common.files import write_atomically
from cooptrack_ros.common.types import Side
from cooptrack_ros.train.checkpoint import read_training
from cooptrack_ros.train.clips import Sample
from cooptrack_ros.train.frame_tensors import targets_of
from cooptrack_ros.train.loop import TrainLoop
from cooptrack_ros.train.recipe import TrainConfig
from cooptrack_ros.train.syncl.settings import SynclConfig

PLAIN, SYNCL, SAME_TIME = 'baseline', 'SynCL', 'baseline, same time'
ARMS = {PLAIN: {}, '+ twin, hybrid matching': {'twin': True, 'filter': 'none', 'contrast_weight': 0.0},
        '+ filtering': {'twin': True, 'contrast_weight': 0.0}, SYNCL: {'twin': True}, SAME_TIME: {}}
CHOICES = {f'{key}: {value}': {'twin': True, key: value} for key, value in (
    ('weight', 0.5), ('contrast_weight', 0.1), ('contrast_weight', 1.0), ('layers', 'last'),
    ('stop_gradient', 'track'), ('stop_gradient', 'object'), ('newborn', 'background'), ('newborn', 'match'))}
CLIPS = {f'{PLAIN}, 3 frames': {}, f'{SYNCL}, 3 frames': {'twin': True}}
"""With ``clip_grad_frames`` 3: a third of the streams, so that a step has as many frames."""
STAGE_2 = {'stage 2': {}, 'stage 2, SynCL': {'twin': True, 'stage2': True}}
PARTS = ('arms', 'choices', 'clips', 'stage2')
FIGURES = ('AMOTA', 'recall', 'MOTA', 'FN', 'IDS', 'mAP')
MECHANISMS = {'syncl_candidates': 'candidates (M1)', 'syncl_retrieval': 'retrieval (M2)',
              'threshold_fell': 'threshold fell by (M3)', 'syncl_cosine': 'cosine (M4)'}
_SETTLING = replace(features.RECIPE, tracking=False, batch_size=8, learning_rate=1e-3, checkpoint_every=100)


class Run(NamedTuple):
    """One training."""

    part: str
    arm: str
    syncl: dict
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return ''.join(c if c.isalnum() else '_' for c in self.arm) + f'_{self.seed}'


def runs(args: argparse.Namespace) -> Iterator[Run]:
    """Yield all runs, seed by seed, and of the arms first the two ends, so that what is there compares."""
    first = {arm: ARMS[arm] for arm in (PLAIN, SYNCL)}
    for part, arms in zip(PARTS, (first | ARMS, CHOICES, CLIPS, STAGE_2), strict=True):
        for seed in args.seeds if part in ('arms', 'clips') else args.seeds[:1]:
            yield from (Run(part, arm, block, seed) for arm, block in arms.items() if part in args.parts)


class Features:
    """Trainings on drawn features."""

    def __init__(self, args: argparse.Namespace):
        """Train the common start, a detector, where it is not there yet, and measure the pace."""
        self._out, self._steps = args.out, args.steps
        self._start = _trained(args.out / 'start', features.new_network(Side.VEHICLE, 0),
                               replace(_SETTLING, steps=args.start_steps)).network.state_dict()
        self.about = {'setting': 'features', 'steps': args.steps, 'start_steps': args.start_steps,
                      'sequences': {'train': len(features.TRAIN), 'validation': len(features.VALIDATION),
                                    'test': len(features.TEST)}, 'noise': features.NOISE}
        self.pace = _kept(args.out / 'pace.json', self._measured_pace)

    def run(self, run: Run) -> dict:
        """Train and measure; the choices on validation sequences only."""
        recipe = self._recipe(run)
        if run.part == 'stage2':
            return self._second_stage(run, recipe)
        folder = self._out / run.name
        stage = _trained(folder, features.new_network(Side.VEHICLE, run.seed, self._start), recipe)
        seeds = features.VALIDATION if run.part == 'choices' else features.TEST
        figures = _figures(features.measure(features.tracked(stage.network, seeds)))
        if run.part == 'arms' and run.arm in (PLAIN, SYNCL) and run.seed == 0:
            figures['validation'] = _figures(features.measure(features.tracked(stage.network, features.VALIDATION)))
        return {**figures, **from_log(folder), **mechanisms(stage, seeds[:20]), 'steps': recipe.steps}

    def _recipe(self, run: Run) -> TrainConfig:
        steps = self._steps // 3 if run.part == 'stage2' else self._steps
        if run.arm == SAME_TIME:
            steps = round(steps * max(self.pace[SYNCL] / self.pace[PLAIN], 1.0))
        recipe = replace(features.RECIPE, steps=steps, seed=run.seed, checkpoint_every=50,
                         syncl=SynclConfig(**run.syncl))
        return replace(recipe, batch_size=recipe.batch_size // 3, clip_grad_frames=3) if run.part == 'clips' else recipe

    def _second_stage(self, run: Run, recipe: TrainConfig) -> dict:
        """Train with the messages of a unit that has the network of the arm SynCL, from that network."""
        folder = self._out / Run('arms', SYNCL, {}, run.seed).name
        start = {k.removeprefix('network.'): v for k, v in read_training(folder / 'checkpoint.pt')['modules'].items()}
        unit = features.new_network(Side.VEHICLE, run.seed, start)
        messages = features.messages_of(unit, [*features.TRAIN, *features.TEST])
        network = features.new_network(Side.COOPERATIVE, run.seed, start)
        stage = _trained(self._out / run.name, network, recipe, messages)
        found = features.cooperating(stage.network, features.TEST, messages)
        return {**_figures(features.measure(found)), 'steps': recipe.steps}

    def _measured_pace(self) -> dict[str, float]:
        """Return the CPU seconds of a step of both, in turns."""
        seconds = {}
        loops = {name: _loop(self._out / f'pace_{name}', features.new_network(Side.VEHICLE, 0, self._start), replace(
            features.RECIPE, steps=10 ** 6, syncl=SynclConfig(**ARMS[name]))) for name in (PLAIN, SYNCL)}
        for turn in range(25):
            for name, loop in loops.items():
                started = time.process_time()
                loop._one_step()
                if turn >= 5:
                    seconds.setdefault(name, []).append(time.process_time() - started)
        return {name: float(np.median(values)) for name, values in seconds.items()}


class Images:
    """Trainings of a network that reads images, by the command line."""

    def __init__(self, args: argparse.Namespace):
        """Take the data."""
        self._args = args
        self.pace: dict[str, float] = {}
        self.about = {'setting': 'images', 'steps': args.steps, 'config': args.config, 'recipe': args.recipe,
                      'data': [p.name for p in args.data], 'test': [p.name for p in args.test]}

    def run(self, run: Run) -> dict:
        """Train and measure; the time of a step of the first runs decides how long the last arm may take."""
        args, folder, steps = self._args, self._args.out / run.name, self._args.steps
        folder.mkdir(parents=True, exist_ok=True)
        if run.arm == SAME_TIME:
            steps = round(steps * max(self.pace[SYNCL] / self.pace[PLAIN], 1.0))
        recipe, figures = folder / 'recipe.yaml', folder / 'eval.json'
        block = {'syncl': run.syncl} if run.syncl else {}
        recipe.write_text(yaml.safe_dump({'recipe': args.recipe, 'seed': run.seed, **block}), encoding='utf-8')
        for command in (
                ['train', 'vehicle', '--config', args.config, '--recipe', recipe, '--data', *args.data,
                 '--init', *args.init, '--steps', steps, '--out', folder / 'run', '--export', folder / 'model'],
                ['eval', '--data', *args.test, '--weights', folder / 'model', '--mode', 'none', '--json', figures]):
            subprocess.run([*COMMAND, *map(str, command), '--threads', '1'], check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, 'OMP_NUM_THREADS': '1'})
        last = _log(folder / 'run')[-1]
        self.pace.setdefault(run.arm, last['elapsed_s'] / last['step'])
        measured = json.loads(figures.read_text(encoding='utf-8'))
        return {**kept(measured, FIGURES), **from_log(folder / 'run'), 'steps': steps}


def _kept(path: Path, make) -> dict:
    """Return what a file holds, or what is made and then kept there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(make(), indent=1))
    return json.loads(path.read_text(encoding='utf-8'))


def _loop(folder: Path, network: features.FeatureNetwork, recipe: TrainConfig,
          messages: features.Messages | None = None) -> TrainLoop:
    return TrainLoop(features.FeatureStage(network, recipe), features.FeatureStream(recipe, messages), recipe, folder)


def _trained(folder: Path, network: features.FeatureNetwork, recipe: TrainConfig,
             messages: features.Messages | None = None) -> features.FeatureStage:
    """Return the stage of a run after its last step."""
    loop = _loop(folder, network, recipe, messages)
    loop.run()
    return loop.stage


def _figures(measured: dict) -> dict:
    return {name: measured[name] for name in FIGURES}


def _log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / 'log.jsonl').read_text(encoding='utf-8').splitlines()]


def from_log(folder: Path) -> dict:
    """Return threshold and retrieval over a training, and by which share the first fell from its first tenth on."""
    lines = _log(folder)
    found = {f'{name}_curve': [[line['step'], line[name]] for line in lines if name in line]
             for name in ('syncl_threshold', 'syncl_retrieval')}
    values = [value for _, value in found['syncl_threshold_curve']]
    if values:
        tenth = max(len(values) // 10, 1)
        found['threshold_fell'] = 1 - float(np.mean(values[-tenth:]) / np.mean(values[:tenth]))
    return found


@torch.no_grad()
def mechanisms(stage: features.FeatureStage, seeds) -> dict[str, float]:
    """Return the figures of the mechanism on some sequences, with both passes on; the tracks are those of the truth."""
    recipe = replace(features.RECIPE, syncl=SynclConfig(twin=True), selection=replace(
        features.RECIPE.selection, drop_probability=0.0, false_positive_ratio=0.0))
    probe, has_head = features.FeatureStage(stage.network, recipe), 'syncl_head' in stage.modules
    if has_head:
        probe.modules['syncl_head'].load_state_dict(stage.modules['syncl_head'].state_dict())
    probe.modules.eval()
    found = defaultdict(list)

    def observe(name, value) -> None:
        if name == 'figures':
            for figure, number in value.items():
                found[figure].append(number)
    for frame in range(features.FRAMES):
        probe.losses(range(len(seeds)), [Sample(features.test_input(s, frame), targets_of(
            features.sequence(s).boxes[frame])) for s in seeds], observe)
    return {name: float(np.mean(values)) for name, values in found.items() if has_head or name != 'syncl_retrieval'}


def summary(rows: list[dict]) -> dict:
    """Return mean and standard deviation over seeds of every figure that all have."""
    names = [n for n in (*FIGURES, *MECHANISMS) if all(isinstance(row.get(n), (int, float)) for row in rows)]
    return {n: {'mean': float(np.mean([row[n] for row in rows])),
                'std': float(np.std([row[n] for row in rows], ddof=1)) if len(rows) > 1 else None} for n in names}


def table(arms: dict[str, dict]) -> Iterator[str]:
    """Yield the lines of a table of arms."""
    names = [*FIGURES, *(m for m in MECHANISMS if any(m in values for values in arms.values()))]
    yield f'| arm | {" | ".join(MECHANISMS.get(n, n) for n in names)} |'
    yield '|---' * (len(names) + 1) + '|'
    for arm, values in arms.items():
        yield f'| {arm} | ' + ' | '.join(
            cell(values[n]['mean'], values[n]['std'], 0 if n in ('FN', 'IDS') else 3) if n in values else '-'
            for n in names) + ' |'


def main() -> int:
    """Run what is missing, write the figures, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, help='folder of the runs')
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--pictures', type=Path, help='folder to draw into (drawn features only)')
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--start-steps', type=int, default=600, help='of the detector that all start from')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--data', nargs='+', type=Path, help='train on images')
    parser.add_argument('--test', nargs='+', type=Path)
    parser.add_argument('--init', nargs='+', type=Path, help='run or model folders to start from')
    parser.add_argument('--config', default='mini')
    parser.add_argument('--recipe', default='mini-vehicle')
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.data:
        args.parts = ['arms']
    setting = Images(args) if args.data else Features(args)
    results: dict[str, dict[str, list[dict]]] = {}
    for run in runs(args):
        found = _kept(args.out / run.name / 'figures.json', lambda run=run: setting.run(run))
        results.setdefault(run.part, {}).setdefault(run.arm, []).append({'seed': run.seed, **found})
        summaries = {part: {arm: summary(arms[arm]) for arm in (*ARMS, *arms) if arm in arms}
                     for part, arms in results.items()}
        write_atomically(args.json, json.dumps({**setting.about, 'seeds': args.seeds, 'seconds_per_step': setting.pace,
                                                'summary': summaries, 'runs': results}, indent=1))
        print(f'{run.name}: ' + ' '.join(f'{n} {cell(found[n])}' for n in FIGURES), flush=True)
    for part, arms in summaries.items():
        print(f'\n{part}', *table(arms), sep='\n')
    if args.pictures and not args.data:
        from syncl_pictures import draw_all
        draw_all(args.json, args.out, args.pictures)
    return 0


if __name__ == '__main__':
    sys.exit(main())
