"""Small stacks of layers that several modules share."""

from __future__ import annotations

from torch import nn


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return Linear, ReLU, Linear."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def normed_stack(*widths: int) -> nn.Sequential:
    """Return Linear, LayerNorm, ReLU for each pair of successive widths."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def head(dims: int, outputs: int) -> nn.Sequential:
    """Return two normed layers and a linear output."""
    return nn.Sequential(*normed_stack(dims, dims, dims), nn.Linear(dims, outputs))


def plain_head(dims: int, outputs: int) -> nn.Sequential:
    """Return two ReLU layers and a linear output."""
    return nn.Sequential(nn.Linear(dims, dims), nn.ReLU(), nn.Linear(dims, dims), nn.ReLU(),
                         nn.Linear(dims, outputs))
