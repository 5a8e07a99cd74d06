"""Initial values of a network that is trained from scratch (method.md 13.9)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .bev.encoder import BevEncoder
from .instances.decoder import Decoder
from .instances.reasoning import Reasoner

PRIOR_LOGIT = -math.log(99)
"""Class bias for a probability of 0.01."""


def initialize(query_points: nn.Embedding, query_features: nn.Embedding, neck: nn.Module, encoder: BevEncoder,
               decoder: Decoder, reasoner: Reasoner, fusion: Sequence[nn.Module], cls_prior_bias: bool) -> None:
    """
    Set the published initial values of the parts of a network; what is not mentioned keeps PyTorch's defaults.

    :param fusion: association and aggregation of a cooperative network, nothing for others.
    :param cls_prior_bias: give the class bias of the reasoner its prior too.
    """
    nn.init.uniform_(query_points.weight)
    nn.init.zeros_(query_features.weight)
    for part in (encoder.layers, encoder.motion_mlp, decoder.layers, neck):
        _xavier(part)
    for embedding in (encoder.camera_embed, encoder.level_embed):
        nn.init.normal_(embedding)
    for layer in encoder.layers:
        _deformable(layer.temporal, layer.temporal.heads, layer.temporal.points)
        _deformable(layer.spatial.sampling, layer.spatial.sampling.heads, layer.spatial.sampling.points)
        _zero_bias(layer.spatial.output)
    for layer in decoder.layers:
        _deformable(layer.sampling, layer.sampling.heads, layer.sampling.points)
    nn.init.constant_(decoder.cls[0][-1].bias, PRIOR_LOGIT)
    for heads in (decoder.cls, decoder.reg):
        for head in heads[1:]:
            head.load_state_dict(copy.deepcopy(heads[0].state_dict()))
    _xavier(reasoner)
    if cls_prior_bias:
        nn.init.constant_(reasoner.cls[-1].bias, PRIOR_LOGIT)
    for part in fusion:
        _xavier(part)


def _xavier(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


def _deformable(module: nn.Module, heads: int, points: int) -> None:
    """Let head h look in direction 2 pi h / heads, point p at p + 1 steps; equal weights."""
    nn.init.zeros_(module.offsets.weight)
    nn.init.zeros_(module.weights.weight)
    _zero_bias(module.weights)
    with torch.no_grad():
        module.offsets.bias.copy_(_star(heads, module.offsets.out_features // (heads * points * 2), points))
    _zero_bias(module.value)
    if hasattr(module, 'output'):
        _zero_bias(module.output)


def _star(heads: int, maps: int, points: int) -> Tensor:
    angles = torch.arange(heads) * (2 * math.pi / heads)
    directions = torch.stack([angles.cos(), angles.sin()], dim=-1)
    directions = directions / directions.abs().amax(-1, keepdim=True)
    steps = torch.arange(1, points + 1, dtype=torch.float32)
    return (directions[:, None, None] * steps[:, None]).expand(heads, maps, points, 2).reshape(-1)


def _zero_bias(linear: nn.Linear) -> None:
    nn.init.zeros_(linear.bias)
