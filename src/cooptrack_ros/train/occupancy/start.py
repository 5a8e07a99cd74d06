"""A training of an occupancy head, from data folders and earlier weights; and where its result goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ...common.config import ModelConfig, apply_overrides, named_config, stored_config
from ...common.errors import UserError
from ...common.types import InstanceSet, Side
from ...cooperation.feature_flow import FeatureFlow
from ...data.folders import open_datasets
from ...data.spd.schema import read_json
from ...model.network import CoopTrackNetwork
from ...model.occupancy.head import OccupancyHead
from ...model.occupancy.sizes import HEADS, TRACKOCC_R50, OccupancySizes
from ...weights.store import open_model
from ...weights.store_parts import save_occupancy
from ..loop import TrainLoop
from ..recipe import TrainConfig
from ..run import SETTINGS_NAME, build_network, check_export, is_model, saved_modules
from .clips import OccupancyStream
from .stage import OccupancyStage


def head_of(name: str, queries: str, init: Sequence[Path]) -> tuple[ModelConfig, OccupancySizes]:
    """
    Return the configuration of the tracker that a head stands on, and the sizes of the head.

    :param name: of the head; :param queries: ``own`` or ``tracker``.
    :param init: as for ``occupancy_run``; the configuration of a model among them counts.
    :raises UserError: for a head that is not known, and for tracks of a tracker that nobody names.
    """
    if name not in HEADS:
        raise UserError(f"no occupancy head '{name}'; known: {', '.join(HEADS)}")
    preset, sizes = HEADS[name]
    models = [source for source in init if is_model(source)]
    if queries == 'tracker' and not init:
        raise UserError('--queries tracker needs --init MODEL, whose live tracks are the things')
    config = open_model(str(models[-1])).config if models else named_config(preset)
    return config, sizes.with_queries(queries)


def occupancy_run(config: ModelConfig, sizes: OccupancySizes, recipe: TrainConfig, side: Side, folders: list[Path],
                  init: Sequence[Path] = (), messages: dict[tuple[str, str], InstanceSet] | None = None,
                  device: str = 'cpu', flow: FeatureFlow | None = None) -> tuple[OccupancyStage, OccupancyStream]:
    """
    Return stage and stream.

    :param init: run folders, model folders, or files with backbone weights, see ``train.run.build_network``; a run of
        this stage also gives its head.
    :param messages: of the units, by recording and roadside token, for the cooperative side; :param flow: of the model
        that sent them.
    :raises UserError: if the head does not fit the network, or earlier weights do not fit the head.
    """
    datasets = open_datasets(folders)
    stream = OccupancyStream(datasets, side, config, recipe, sizes.profile, messages)
    network = build_network(config, side, recipe.seed, init, datasets)
    torch.manual_seed(recipe.seed)
    try:
        head = OccupancyHead(config, sizes)
        for source in init:
            if source.is_dir() and not is_model(source):
                modules = saved_modules(source)
                state = {k.removeprefix('head.'): v for k, v in modules.items() if k.startswith('head.')}
                head.load_state_dict(state or head.state_dict())
        return OccupancyStage(network, head, recipe, device, flow), stream
    except (RuntimeError, ValueError) as error:
        raise UserError(f'the occupancy head does not fit: {error}') from error


def head_settings(stage: OccupancyStage) -> dict[str, Any]:
    """Return what a run folder keeps so that its head can be used."""
    return {'occupancy': {'side': stage.side.value, 'sizes': asdict(stage.head.sizes)}}


def is_run(folder: Path) -> bool:
    """Tell whether a folder holds a run, of whatever stage."""
    return (folder / SETTINGS_NAME).is_file()


def open_run(folder: Path) -> tuple[CoopTrackNetwork, OccupancyHead]:
    """
    Return network and head of a run of this stage, in evaluation mode.

    :raises UserError: if the folder holds another run, or one that is damaged.
    """
    path = folder / SETTINGS_NAME
    settings = read_json(path, dict)
    if 'occupancy' not in settings:
        raise UserError(f'{path} is of a training of another stage than occupancy')
    try:
        config = stored_config(settings['model'])
        sizes = apply_overrides(TRACKOCC_R50, settings['occupancy']['sizes'])
        network, head = CoopTrackNetwork(config, Side(settings['occupancy']['side'])), OccupancyHead(config, sizes)
        modules = saved_modules(folder)
        for name, module in (('network', network), ('head', head)):
            start = f'{name}.'
            module.load_state_dict({k.removeprefix(start): v for k, v in modules.items() if k.startswith(start)})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f'{folder} holds no usable run of the stage occupancy: {error}') from error
    return network.eval(), head.eval()


def export_head(folder: Path, stage: OccupancyStage, recipe: TrainConfig, loop: TrainLoop, data: list[Path]) -> Path:
    """Write the trained head beside the networks of a model, see ``check_export``, with its recipe on the card."""
    check_export(folder, stage)
    return save_occupancy(open_model(str(folder)), stage.side, stage.head, {'training': {
        'steps': loop.step, 'frames': loop.step * recipe.batch_size * recipe.clip_grad_frames,
        'minutes': round(loop.elapsed_s / 60, 1), 'data': [p.name for p in data], 'recipe': asdict(recipe)}})
