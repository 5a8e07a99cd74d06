"""What a receiver knows of the model of a roadside unit: its identity, and what it leaves out of its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..common.types import InstanceSet
from ..model.instances.position import point_embedding
from ..model.layers import mlp

_PREFIX = 'query_position.'


class SenderModel:
    """
    Recomputes positional embeddings from the points that they stand for, with the weights of the sender.

    Float32 on the CPU. The sender computed the same for all its queries at once, so results differ in the order of
    summation: by less than 1e-5 of the largest number of an embedding.
    """

    def __init__(self, model_id: str, weights: Mapping[str, Tensor]):
        """
        Take the query position network out of the entries of a roadside network.

        :raises KeyError: if it is not among them.
        """
        self.model_id = model_id
        hidden, inputs = weights[f'{_PREFIX}0.weight'].shape
        self.feature_dim = len(weights[f'{_PREFIX}2.weight'])
        self._network = mlp(inputs, hidden, self.feature_dim)
        self._network.load_state_dict({k.removeprefix(_PREFIX): v.float() for k, v in weights.items()
                                       if k.startswith(_PREFIX)})

    @torch.inference_mode()
    def complete(self, instances: InstanceSet) -> InstanceSet:
        """Return instances (N,) of a compact message with their embeddings (N, C); others as they are."""
        if instances.position_embedding.shape[1] or not instances.semantic.shape[1]:
            return instances
        points = torch.from_numpy(np.array(instances.position_points, np.float32))
        embedding = self._network(point_embedding(points, self.feature_dim // 2))
        return replace(instances, position_embedding=embedding.numpy())
