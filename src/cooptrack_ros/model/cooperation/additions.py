"""
Aggregation as an addition to the vehicle's network, for models of our own.

The published cooperative network has all its weights of its own, so that it sees other things than the vehicle's, with
messages and without. Here it is the vehicle's network, unchanged, and acts on those rows only that took something in:
a frame without messages is the vehicle's to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..layers import mlp
from .association import FusedPairs

_PART = (0, 0, 1, 1, 0, 1, 2, 2, 3, 3)
"""Which part of a box each number of a code belongs to: place, size, heading or velocity."""
_FIGURES, _HIDDEN = 4, 32


class Opinion(NamedTuple):
    """What somebody says of N objects."""

    logits: Tensor
    """(N, K) of the classes."""
    codes: Tensor
    """(N, 10) in the ego frame."""


class Additions(nn.Module):
    """
    Merges matched instances by an addition to the vehicle's, and weighs what both say of an object.

    A new one adds nothing: the features are the vehicle's, the object is as certain as for the surer of both, and its
    box is that of the surer one, sliding from one to the other where both are about as sure.
    """

    def __init__(self, config: ModelConfig):
        """Create the layers."""
        super().__init__()
        dims = config.embed_dims
        self.semantic = _silent(mlp(2 * dims, dims, dims))
        self.motion = _silent(mlp(2 * dims, dims, dims))
        self.judge = _silent(mlp(2 * dims + _FIGURES, _HIDDEN, 2 + max(_PART)))
        self.register_buffer('_part', torch.tensor(_PART), persistent=False)

    def fuse(self, vehicle: FusedPairs, infra: FusedPairs) -> FusedPairs:
        """Return merged features of P pairs, row by row; their points stay the vehicle's."""
        return vehicle._replace(
            semantic=vehicle.semantic + self.semantic(torch.cat([vehicle.semantic, infra.semantic], dim=-1)),
            motion=vehicle.motion + self.motion(torch.cat([vehicle.motion, infra.motion], dim=-1)))

    def weigh(self, own: Opinion, said: Opinion, semantic: Tensor, motion: Tensor) -> Opinion:
        """
        Return what follows from two opinions of the same objects.

        :param own: of the vehicle's refinement heads; :param said: of a unit;
        :param semantic: (N, C) merged features, likewise motion.
        """
        sure, said_sure = own.logits.amax(-1, keepdim=True), said.logits.amax(-1, keepdim=True)
        place = own.codes[:, :2]
        apart = (place - said.codes[:, :2]).norm(dim=-1, keepdim=True)
        figures = torch.cat([sure, said_sure, apart.log1p(), place.norm(dim=-1, keepdim=True).log1p()], dim=-1)
        change = self.judge(torch.cat([semantic, motion, figures], dim=-1))
        share = (said_sure - sure + change[:, 1:]).sigmoid().index_select(1, self._part)
        return Opinion(torch.maximum(own.logits, said.logits) + change[:, :1],
                       own.codes + share * (said.codes - own.codes))


def _silent(layers: nn.Sequential) -> nn.Sequential:
    """Return layers whose output is zero."""
    nn.init.zeros_(layers[-1].weight)
    nn.init.zeros_(layers[-1].bias)
    return layers
