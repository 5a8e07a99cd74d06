"""One pretraining from data folders to an encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ...common.errors import UserError
from ...common.files import write_atomically
from ...common.types import Side
from ...data.folders import open_datasets
from ...data.spd.schema import read_json
from ...model.lidar.encoder import PillarEncoder
from ...model.lidar.pillars import PillarGrid
from ...model.lidar.sizes import named_branch
from ...weights.encoder_file import ENCODER_NAME, load_encoder, save_encoder
from ..checkpoint import read_training
from ..loop import CHECKPOINT_NAME, TrainLoop
from ..recipe import LidarPretrainingConfig, TrainConfig
from ..run import SETTINGS_NAME
from .gather import Gathering, gatherings
from .measure import measure
from .stage import LidarStage
from .stream import CloudStream

FIGURES_NAME = 'reconstruction.json'
_HELD_OUT = 10
"""Every tenth sequence is left out of the training and measures it; of fewer than ten the last."""


def held_out_split(sequences: Sequence[list[Gathering]]) -> tuple[list[Gathering], list[Gathering]]:
    """Return the frames to learn from and those to measure on; there are none of these with a single sequence."""
    last = len(sequences) - 1
    aside = {i for i in range(len(sequences)) if i % _HELD_OUT == _HELD_OUT - 1} or {last} - {0}
    return ([frame for i, s in enumerate(sequences) if i not in aside for frame in s],
            [frame for i in sorted(aside) for frame in sequences[i]])


def make_stage(branch: str, recipe: TrainConfig, device: str = 'cpu', init: Sequence[Path] = (),
               held_out: Sequence[Gathering] = ()) -> LidarStage:
    """Return the stage of a branch, with the encoder of the last of ``init`` if there is one."""
    config, sizes = named_branch(branch)
    torch.manual_seed(recipe.seed)
    encoder = PillarEncoder(PillarGrid.of(config, Side.VEHICLE), sizes)
    for source in init:
        load_encoder(source, encoder)
    return LidarStage(encoder, recipe, device, held_out)


def lidar_run(branch: str, recipe: TrainConfig, folders: list[Path], device: str = 'cpu',
              init: Sequence[Path] = ()) -> tuple[LidarStage, CloudStream]:
    """
    Return stage and stream of the pretraining; no label is opened.

    :param branch: see ``model.lidar.sizes.named_branch``; :param init: see ``make_stage``.
    """
    known, held_out = held_out_split(gatherings(open_datasets(folders)))
    stage = make_stage(branch, recipe, device, init, held_out)
    return stage, CloudStream(known, stage.encoder.grid, recipe)


def finish(out: Path, stage: LidarStage, recipe: TrainConfig, loop: TrainLoop, data: list[Path]) -> dict[str, Any]:
    """Write the encoder and what it rebuilds of held-out frames into the run folder; return these figures."""
    figures = {'held_out_frames': len(stage.held_out), 'chamfer_l1': measure(stage, stage.held_out, recipe.lidar)}
    write_atomically(out / FIGURES_NAME, json.dumps(figures, indent=1) + '\n')
    save_encoder(out / ENCODER_NAME, stage.encoder, {
        'steps': loop.step, 'frames': loop.step * recipe.batch_size, 'data': [p.name for p in data],
        'recipe': asdict(recipe), **figures})
    return figures


def open_run(folder: Path) -> tuple[LidarStage, LidarPretrainingConfig]:
    """
    Return what a run trained, and its settings.

    :raises UserError: if the folder holds no such run.
    """
    path = folder / SETTINGS_NAME
    if not path.is_file():
        raise UserError(f'{folder} holds no {SETTINGS_NAME}: expected is a run folder of `cooptrack train '
                        'lidar-pretraining`')
    settings = read_json(path, dict)
    try:
        recipe = TrainConfig(lidar=LidarPretrainingConfig(**settings['recipe']['lidar']))
        stage = make_stage(settings['model']['name'], recipe)
        stage.modules.load_state_dict(read_training(folder / CHECKPOINT_NAME)['modules'])
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f'{folder} is no run of `cooptrack train lidar-pretraining`: {error}') from error
    return stage, recipe.lidar
