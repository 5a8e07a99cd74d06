"""Backbone and neck in 8-bit integers: the graph of the layers, what is one operation in it, and its conversion."""

from __future__ import annotations

import operator
from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...common.errors import UserError
from .int8 import Grid, Int8Conv, Ranges
from .vision import folded

IMAGE = 'image'
"""Name of the range of the input."""


class Chain(NamedTuple):
    """A convolution with the sum and the ReLU that follow it and are part of its operation in integers."""

    conv: fx.Node
    add: fx.Node | None
    relu: fx.Node | None

    @property
    def end(self) -> fx.Node:
        """Return the node whose output is that of the operation."""
        return self.relu or self.add or self.conv


def vision_graph(backbone: nn.Module, neck: nn.Module) -> fx.GraphModule:
    """Return copies of the layers, batch norms folded, as a graph."""
    module = fx.symbolic_trace(nn.Sequential(folded(backbone), folded(neck)).requires_grad_(False))
    for node in list(module.graph.nodes):
        if _is(module, node, nn.Identity):
            node.replace_all_uses_with(node.args[0])
            module.graph.erase_node(node)
    module.recompile()
    return module


def chains(module: fx.GraphModule) -> list[Chain]:
    """Return the convolutions in their order."""
    order = {node: place for place, node in enumerate(module.graph.nodes)}
    return [_chain(module, node, order) for node in order if _is(module, node, nn.Conv2d)]


def _chain(module: fx.GraphModule, conv: fx.Node, order: dict[fx.Node, int]) -> Chain:
    after, add = _only_user(conv), None
    if after is not None and after.target is operator.add:
        other = _other(after, conv)
        # The sum is written over it, so it must be there already and nobody may want it later.
        if order[other] < order[conv] and all(order[user] <= order[after] for user in other.users):
            add, after = after, _only_user(after)
    is_relu = after is not None and (after.target is F.relu or _is(module, after, nn.ReLU))
    return Chain(conv, add, after if is_relu else None)


def int8_vision(module: fx.GraphModule, ranges: Ranges) -> fx.GraphModule:
    """
    Return the layers in integers; images and features are numbers as before.

    :param module: of ``vision_graph``, which is used up; :param ranges: by names of nodes, and ``IMAGE``.
    :raises UserError: for a network with other layers than convolutions.
    """
    found = {chain.conv: chain for chain in chains(module)}
    parts = {node for chain in found.values() for node in chain}
    grids: dict[fx.Node, Grid] = {}
    for node in list(module.graph.nodes):
        if node in found:
            _convert(module, found[node], grids, ranges)
        elif node.op == 'placeholder':
            grids[node] = Grid.of(*ranges[IMAGE])
        elif node.target in (F.max_pool2d, F.interpolate):
            if node.target is F.max_pool2d:
                node.target, node.kwargs = _max_pool, {name: node.kwargs[name] for name in ('stride', 'padding')}
            grids[node] = grids[node.args[0]]
        elif node not in parts and node.op != 'output' and node.target not in (getattr, operator.getitem):
            raise UserError(f"execution 'int8' knows backbones of convolutions only, not {node.name}; use fast")
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _convert(module: fx.GraphModule, chain: Chain, grids: dict[fx.Node, Grid], ranges: Ranges) -> None:
    """Put one operation in the place of a chain."""
    operands = [chain.conv.args[0]] + ([] if chain.add is None else [_other(chain.add, chain.conv)])
    target = None
    if any(user.op != 'output' for user in chain.end.users):
        low, high = ranges[chain.end.name]
        target = Grid.of(0.0 if chain.relu else low, high)
    source, *added = (grids[node] for node in operands)
    name = f'int8_{chain.conv.name}'
    module.add_submodule(name, Int8Conv(
        module.get_submodule(chain.conv.target), source, target, chain.relu is not None, *added))
    with module.graph.inserting_after(chain.end):
        node = module.graph.call_module(name, tuple(operands))
    chain.end.replace_all_uses_with(node)
    if target is not None:
        grids[node] = target


def _is(module: fx.GraphModule, node: fx.Node, kind: type) -> bool:
    return node.op == 'call_module' and isinstance(module.get_submodule(node.target), kind)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _other(add: fx.Node, operand: fx.Node) -> fx.Node:
    return add.args[0] if add.args[1] is operand else add.args[1]


def _max_pool(x: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Return the largest codes (B, C, h, w) of windows, which PyTorch cannot for large maps of uint8."""
    x = F.pad(x, (padding,) * 4)
    for dim in (2, 3):
        count = (x.shape[dim] - size) // stride + 1
        windows = [x.narrow(dim, first, (count - 1) * stride + 1) for first in range(size)]
        x = reduce(torch.maximum, (w[:, :, ::stride] if dim == 2 else w[..., ::stride] for w in windows))
    return x
