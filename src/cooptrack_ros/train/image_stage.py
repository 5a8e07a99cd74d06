"""Pretraining of backbone and neck on single images of both sides, in place of ImageNet weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..common.config import ModelConfig
from ..model.network import CoopTrackNetwork
from .clips import Sample
from .dense_heads import IMAGE_MOTIONS, IMAGE_VALUES, DenseHead, image_targets
from .losses import Term, spreads
from .recipe import TrainConfig, precision_of


class ImageStage:
    """Centres, depths, sizes and headings of objects, read densely from the image features."""

    def __init__(self, network: CoopTrackNetwork, config: TrainConfig, device: str = 'cpu'):
        """Take backbone and neck from a network; batch norms learn their statistics here."""
        self._device = torch.device(device)
        self.config: ModelConfig = network.config
        self._precision = precision_of(config)
        self.modules = nn.ModuleDict({
            'network': nn.ModuleDict({'backbone': network.backbone, 'neck': network.neck}),
            'image_head': DenseHead(self.config.embed_dims, len(self.config.class_names), IMAGE_VALUES, IMAGE_MOTIONS,
                                    spreads(config.losses))}).to(device)
        self.modules.train()

    def losses(self, slots: Sequence[int], samples: Sequence[Sample]) -> list[dict[str, Term]]:
        """Return the loss of one batch with the images of each slot."""
        images = torch.cat([s.inputs.images for s in samples]).to(self._device)
        network = self.modules['network']
        with torch.autocast(self._device.type, self._precision, enabled=self._precision is not torch.float32):
            features = network['neck'](network['backbone'](images.contiguous(memory_format=torch.channels_last)))
        size, classes = self.config.input_size, len(self.config.class_names)
        targets = [image_targets(s.targets.boxes(), projection, size, features.shape[-2:], classes)
                   for s in samples for projection in s.inputs.img_from_lidar]
        loss = self.modules['image_head'].loss(features.float(), targets)
        return [{'image': Term(loss * len(samples), len(samples))}]

    def memory(self) -> dict[int, dict]:
        """Return nothing: images have no past."""
        return {}

    def restore(self, memory: dict[int, dict]) -> None:
        """Do nothing."""
