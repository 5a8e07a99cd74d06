"""Ranges of activations, which the codes of ``execution int8`` are laid over."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

from torch import Tensor, fx, nn

from ..network import CoopTrackNetwork
from ..ops.attention import FeedForward
from .int8 import Ranges
from .int8_vision import IMAGE, chains, vision_graph

DECODER_BEV = 'decoder.bev'
_OUTLIERS = 3e-4
"""Share of the values of a tensor that may lie beyond its range on either side: fewer steps for all would cost more."""
_LARGE = 256 * 256


class RangeCalibrator:
    """Notes the ranges of everything that ``execution int8`` computes in integers while a copy of a network runs."""

    def __init__(self, network: CoopTrackNetwork):
        """Copy and watch a network."""
        self._seen: dict[str, list[tuple[float, float]]] = {}
        self.network = copy.deepcopy(network)
        """Does what the original does, only slower."""
        self.network.backbone = _WatchedVision(vision_graph(network.backbone, network.neck), self._note)
        self.network.neck = nn.Identity()
        if is_large(network.decoder.layers[0].sampling.value):
            self.network.decoder.register_forward_pre_hook(partial(self._note_input, DECODER_BEV))
        for name, module in self.network.named_modules():
            if isinstance(module, FeedForward) and is_large(module.inner):
                module.register_forward_pre_hook(partial(self._note_input, name))
                module.inner.register_forward_hook(partial(self._note_output, hidden(name)))

    def ranges(self) -> Ranges:
        """Return the means of the ranges of all frames so far."""
        return {name: (sum(low for low, _ in seen) / len(seen), sum(high for _, high in seen) / len(seen))
                for name, seen in self._seen.items()}

    def _note(self, name: str, values: Tensor) -> None:
        values = values.detach().flatten()
        beyond = 1 + int(_OUTLIERS * len(values))
        ends = (values.topk(beyond, largest=largest).values[-1].item() for largest in (False, True))
        self._seen.setdefault(name, []).append(tuple(ends))

    def _note_input(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._note(name, inputs[0])

    def _note_output(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._note(name, output)


def is_large(layer: nn.Linear) -> bool:
    """Tell whether a linear layer gains by integers: in small ones the way to the codes costs what the sums save."""
    return layer.weight.numel() >= _LARGE


def hidden(name: str) -> str:
    """Return the name of the range between the layers of a feed-forward network."""
    return f'{name}.hidden'


class _WatchedVision(nn.Module):
    """Runs a graph and shows what will be codes."""

    def __init__(self, graph: fx.GraphModule, note: Callable[[str, Tensor], None]):
        super().__init__()
        self._graph, self._note = graph, note
        self._shown = {chain.end.name for chain in chains(graph)}

    def forward(self, images: Tensor) -> Tensor:
        watcher = _Watcher(self._graph)
        watcher.shown, watcher.note = self._shown, self._note
        return watcher.run(images)


class _Watcher(fx.Interpreter):
    def run_node(self, node: fx.Node) -> object:
        value = super().run_node(node)
        if node.op == 'placeholder' or node.name in self.shown:
            self.note(IMAGE if node.op == 'placeholder' else node.name, value)
        return value
