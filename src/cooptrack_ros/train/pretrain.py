"""Pretraining of backbone and neck on single pictures of both sides, in place of ImageNet weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..core.config import ModelConfig
from ..model.network import CoopTrackNetwork
from .clips import Sample
from .dense_heads import IMAGE_VALUES, DenseHead, image_targets
from .inputs import image_tensor, projections
from .recipe import TrainConfig


class ImageStage:
    """Centres, depths, sizes and headings of objects, read densely from the image features."""

    def __init__(self, network: CoopTrackNetwork, config: TrainConfig, device: str = 'cpu'):
        """Take backbone and neck from a network; batch norms learn their statistics here."""
        self._device = torch.device(device)
        self.config: ModelConfig = network.config
        self._probability = config.augment.photometric_probability
        self._rng = np.random.default_rng([config.seed, 3])
        self.modules = nn.ModuleDict({
            'network': nn.ModuleDict({'backbone': network.backbone, 'neck': network.neck}),
            'image_head': DenseHead(self.config.embed_dims, len(self.config.class_names), IMAGE_VALUES)}).to(device)
        self.modules.train()

    def losses(self, samples: Sequence[Sample]) -> Iterator[dict[str, Tensor]]:
        """Yield the loss of one batch with a picture of each slot."""
        images = torch.cat([image_tensor(s.frame, self.config, self._rng, self._probability) for s in samples])
        images = images.to(self._device)
        network = self.modules['network']
        features = network['neck'](network['backbone'](images.contiguous(memory_format=torch.channels_last)))
        targets = [image_targets(s.boxes, projections(s.frame, self.config)[0], self.config.input_size,
                                 features.shape[-2:], len(self.config.class_names)) for s in samples]
        yield {'image': self.modules['image_head'].loss(features, targets)}

    def memory(self) -> dict:
        """Return the state of the random colours."""
        return {'rng': json.dumps(self._rng.bit_generator.state)}

    def restore(self, memory: dict) -> None:
        """Go on with what ``memory`` returned."""
        self._rng.bit_generator.state = json.loads(memory['rng'])
