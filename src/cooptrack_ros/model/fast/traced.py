"""Functions that run as one graph, without Python between their operations."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn

_SETTLED = 3
"""Calls in a row with the same key after which a graph pays: making one takes as long as some calls without it."""


def graph_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> torch.jit.ScriptModule:
    """
    Return what a module does in evaluation mode, its weights as constants.

    :param inputs: an example; numbers of rows that the module reads with ``len`` are constants, too.
    """
    with warnings.catch_warnings():
        # PyTorch points to torch.compile, which needs a C++ compiler on the vehicle computer.
        warnings.simplefilter('ignore', DeprecationWarning)
        # What a graph takes as constant is said in its key.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        return torch.jit.freeze(torch.jit.trace(module.eval(), inputs, check_trace=False))


def constant(module: nn.Module) -> nn.Module:
    """Return a module on the same weights, which take no gradients there and so may become constants."""
    if not any(p.requires_grad for p in module.parameters()):
        return module
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in module.parameters()}
    return copy.deepcopy(module, shared)


class Traced:
    """
    A function of tensors that becomes a graph as soon as it is called with the same key again and again.

    The operations are the same, and so are their results.
    """

    def __init__(self, function: Callable[..., Any]):
        """Start without a graph; :param function: returns a tensor or a tuple of tensors."""
        self._function = function
        self._key: Hashable = None
        self._calls = 0
        self._graph: torch.jit.ScriptModule | None = None

    def __call__(self, key: Hashable, *inputs: Tensor) -> Any:
        """Return what the function does; :param key: settles what it takes as constant."""
        if key != self._key:
            self._key, self._calls, self._graph = key, 0, None
        self._calls += 1
        if self._graph is None and self._calls >= _SETTLED:
            self._graph = graph_of(_Module(self._function), inputs)
        return (self._graph or self._function)(*inputs)


class Direct:
    """A function that is called as it is, in place of ``Traced``."""

    def __init__(self, function: Callable[..., Any]):
        """Take the function."""
        self._function = function

    def __call__(self, key: Hashable, *inputs: Tensor) -> Any:
        """Return what the function does."""
        return self._function(*inputs)


class _Module(nn.Module):
    """A function as a module, which is what can be frozen."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self._function = function

    def forward(self, *inputs: Tensor) -> Any:
        """Return what the function does."""
        return self._function(*inputs)
