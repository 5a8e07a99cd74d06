"""A function of tensors recorded as a CUDA graph: launched as a whole, in memory of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

_WARM_UP_CALLS = 3
"""Before recording, so that libraries have chosen their kernels and everything that is kept has been made."""


class Graphed:
    """Same results as the function it is made from; shapes are those of the first call."""

    def __init__(self, function: Callable[..., Any]):
        """Prepare; the function is recorded at the first call."""
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Return results in new tensors; the host does not wait for them."""
        tensors, structure = pytree.tree_flatten(arguments)
        if self._graph is None:
            self._record(tensors, structure)
        torch._foreach_copy_(self._inputs, tensors)
        self._graph.replay()
        return pytree.tree_unflatten([t.clone() for t in self._outputs], self._result)

    def _record(self, tensors: list[torch.Tensor], structure: pytree.TreeSpec) -> None:
        self._inputs = [t.clone() for t in tensors]
        arguments = pytree.tree_unflatten(self._inputs, structure)
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_CALLS):
                self._function(*arguments)
        current.wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            results = self._function(*arguments)
        self._outputs, self._result = pytree.tree_flatten(results)
