"""A training of BEV fusion, from data folders and trained networks; and where its result goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from ...common.config import NOMINAL_HZ
from ...common.errors import UserError
from ...common.types import Side
from ...data.dataset import OpenedData
from ...data.folders import open_datasets
from ...model.cooperation.bev_fusion import BevFusion
from ...weights.bev_fusion_file import save_bev_fusion, weights_of
from ...weights.store import ModelPackage, open_model
from ..loop import TrainLoop
from ..recipe import TrainConfig
from ..run import is_model
from .maps import MapFile
from .stage import BevFusionStage, MapStream


class FusedModels(NamedTuple):
    """The models whose networks of vehicle and roadside make the BEV features, maybe one and the same."""

    vehicle: ModelPackage
    roadside: ModelPackage

    @staticmethod
    def of(init: Sequence[Path], roadside: str | None, hz: int = 0) -> FusedModels:
        """
        Open them.

        :param init: one model folder; :param roadside: model of the units, None: the same.
        :param hz: rate of the frames, 0: as the models are.
        :raises UserError: without the weights of one of them, or if their BEV features are not of one kind.
        """
        if len(init) != 1 or not is_model(init[0]):
            raise UserError('stage bev-fusion needs --init MODEL, one model folder with the weights of the vehicle, '
                            'and of the roadside unless --roadside names another')
        vehicle = open_model(str(init[0]))
        models = FusedModels(vehicle, open_model(roadside) if roadside else vehicle)
        weights_of(*models)
        sizes = [(m.config.embed_dims, m.config.bev_size, m.config.infra_range.pc_range) for m in models]
        if sizes[0] != sizes[1]:
            raise UserError(f'vehicle and roadside have BEV features of other sizes or ranges: {sizes[0]} and '
                            f'{sizes[1]}')
        return FusedModels(*(m.at_rate(hz or NOMINAL_HZ) for m in models))

    @property
    def identity(self) -> str:
        """What changes with the weights of either side."""
        return f'{self.vehicle.model_id(Side.VEHICLE)} {self.roadside.model_id(Side.ROADSIDE)}'

    def check_export(self, folder: Path) -> None:
        """Raise a UserError unless a folder holds the network of the vehicle that a fusion is trained on."""
        if weights_of(open_model(str(folder)), self.roadside) != weights_of(*self):
            raise UserError(f'the {Side.VEHICLE.value} weights in {folder} are not those that the fusion stands on: '
                            'expected a copy of the model of --init')

    def export(self, folder: Path, stage: BevFusionStage, recipe: TrainConfig, loop: TrainLoop,
               data: list[Path]) -> Path:
        """Write the trained fusion beside the networks of a model, see ``check_export``, its recipe on the card."""
        self.check_export(folder)
        return save_bev_fusion(open_model(str(folder)), self.roadside, stage.fusion, {'training': {
            'steps': loop.step, 'frames': loop.step * recipe.batch_size, 'minutes': round(loop.elapsed_s / 60, 1),
            'data': [p.name for p in data], 'recipe': asdict(recipe)}})


def bev_fusion_run(vehicle: ModelPackage, recipe: TrainConfig, folders: list[Path],
                   collect: Callable[[OpenedData], dict[str, MapFile]],
                   device: str = 'cpu') -> tuple[BevFusionStage, MapStream]:
    """
    Return stage and stream.

    :param collect: gives the BEV features of opened data by recording, see ``maps.collect_maps``.
    """
    datasets = open_datasets(folders, velocity_labels=recipe.velocity_labels)
    stream = MapStream(datasets, vehicle.config, recipe, collect(datasets))
    torch.manual_seed(recipe.seed)
    network = vehicle.network(Side.VEHICLE).requires_grad_(False)
    return BevFusionStage(network, BevFusion(vehicle.config), recipe, device), stream
