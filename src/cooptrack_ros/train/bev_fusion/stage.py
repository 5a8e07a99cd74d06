"""Training of BEV fusion: the vehicle's frozen decoder must find in the fused features what either side sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...common.config import ModelConfig
from ...common.ego_motion import can_bus
from ...common.errors import UserError
from ...common.timeline import StampedPose
from ...common.types import Side
from ...cooperation.bev_cells import best_cells
from ...data.dataset import OpenedData
from ...model.cooperation.bev_fusion import BevFusion
from ...model.network import CoopTrackNetwork
from ...tracking.map_stages import MapInput, MapStages, PlacedCells
from ..clips import ClipStream, Item, Sample, target_boxes
from ..frame_tensors import targets_of
from ..losses import Term
from ..recipe import TrainConfig
from ..tracking_stage import TrackingStage, TrainingStages
from .maps import MapFile


@dataclass(frozen=True)
class MapSample(Sample):
    """A frame whose input is known BEV features and cells of one unit."""

    inputs: MapInput


class MapStream(ClipStream):
    """Clips of pairs with the labels of both sides, as for the cooperative network."""

    def __init__(self, datasets: OpenedData, model: ModelConfig, config: TrainConfig, maps: dict[str, MapFile]):
        """
        Index the frames.

        :param maps: by recording.
        :raises UserError: for clips that would be mirrored.
        """
        if config.augment.mirror_probability:
            raise UserError('augment.mirror_probability must be 0: BEV features that are known are not mirrored')
        super().__init__(datasets, Side.COOPERATIVE, model, config)
        self._maps = maps

    def _sample(self, clip: list[Item], number: int, mirror: bool, rng: np.random.Generator,
                link_seed: list[int]) -> MapSample:
        item, sparse = clip[number], self._config.bev_fusion
        record, maps = item.record, self._maps[item.recording].read(item.record.token)
        count, cells = None, len(maps.infra)
        if rng.random() < sparse.sparse:
            count = round(np.exp(rng.uniform(np.log(min(sparse.fewest_cells, cells)), np.log(cells))))
        sent = best_cells(maps.infra, maps.confidence, self._model.bev_size, count)
        pose = StampedPose(f'{item.recording}/{record.sequence}', record.stamp_us * 1000, record.global_from_lidar,
                           can_bus(record.global_from_ego))
        inputs = MapInput(pose, torch.empty(0), np.zeros((0, 4, 4)), None,
                          (PlacedCells(sent, record.ego_from_infra),), torch.from_numpy(maps.ego)[None])
        return MapSample(inputs, targets_of(target_boxes(record, self._model, self._side)))


class _Stages(MapStages, TrainingStages):
    """Those of training, from known BEV features."""


class BevFusionStage(TrackingStage):
    """What the loop trains: the fusion alone. It is taught by the losses of the vehicle's network on one agent."""

    def __init__(self, network: CoopTrackNetwork, fusion: BevFusion, config: TrainConfig, device: str = 'cpu'):
        """Take the vehicle's network, which is not trained, and the fusion."""
        super().__init__(network, config, device)
        network.freeze(*(name for name, _ in network.named_children()))
        self.fusion = fusion.to(self._device).train()
        self.modules['bev_fusion'] = self.fusion
        self.stages = _Stages(network, config, self._device)

    def losses(self, slots: Sequence[int], samples: Sequence[MapSample]) -> list[dict[str, Term]]:
        """Return the losses of one frame of each of some slots and advance their memory."""
        inputs = [replace(s.inputs, known_bev=bev[None], received=()) for s, bev in
                  zip(samples, self._fused(samples), strict=True)]
        return [self.frame_losses(slot, given, s.targets) for slot, given, s in
                zip(slots, inputs, samples, strict=True)]

    def _fused(self, samples: Sequence[MapSample]) -> Tensor:
        """Return (B, cells, C); all frames at once, whose statistics the norms of the fusion need."""
        placed = [s.inputs.received[0] for s in samples]
        ego = torch.cat([s.inputs.known_bev for s in samples]).to(self._device)
        infra = torch.from_numpy(np.stack([p.cells.dense() for p in placed])).to(self._device)
        return self.fusion(ego, infra, [p.pose for p in placed])
