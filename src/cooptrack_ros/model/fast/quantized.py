"""The fast network with its large layers in 8-bit integers."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ...common.errors import UserError
from ..network import CoopTrackNetwork
from ..ops.attention import FeedForward
from .calibrate import DECODER_BEV, hidden, is_large
from .int8 import Grid, Int8FeedForward, Int8Linear, Ranges
from .int8_vision import int8_vision, vision_graph
from .network import FastNetwork


class Int8Network(FastNetwork):
    """
    Backbone and neck, and where they are large feed-forward layers and the projection of the BEV for the decoder.

    Points, offsets, poses, boxes, classes and everything that compares instances stay in float32.
    """

    @torch.no_grad()
    def __init__(self, network: CoopTrackNetwork, ranges: Ranges):
        """
        Prepare a network that lies on the CPU.

        :param ranges: of its activations, see ``Calibration``.
        :raises UserError: for a backbone of other layers than convolutions, or ranges of another network.
        """
        backbone, neck = network.backbone, network.neck
        network = copy.deepcopy(network, {id(backbone): nn.Identity(), id(neck): nn.Identity()})
        network.requires_grad_(False)
        ranges = _Known(ranges)
        forward = {name: module for name, module in network.named_modules()
                   if isinstance(module, FeedForward) and is_large(module.inner)}
        for name, module in forward.items():
            network.set_submodule(name, Int8FeedForward(
                module, Grid.of(*ranges[name]), Grid.of(0.0, ranges[hidden(name)][1])))
        is_map_large = is_large(network.decoder.layers[0].sampling.value)
        # Packed integers cannot be constants of a graph.
        super().__init__(network, traces=not forward and not is_map_large)
        self._vision = int8_vision(vision_graph(backbone, neck), ranges)
        values = self._decoder.values
        if is_map_large:
            self._decoder.values = Int8Linear(values.weight, values.bias, Grid.of(*ranges[DECODER_BEV]))


class _Known(dict):
    """Ranges that say what is wrong when one is missing."""

    def __missing__(self, name: str) -> tuple[float, float]:
        raise UserError(f"these activation ranges are not of this network: they lack '{name}'")
