"""Arithmetic of each stage of a step, and the time that it would take at the peak of the device."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ..tracking.tracker import AgentTracker
from .machine import matmul_flops_per_second
from .scene import BenchScene

_ENDS = {'features': 'image_features', 'bev': 'bev_encoder', 'decoded': 'decoder', 'reasoned': 'reasoning',
         'fused': 'fusion'}
"""Which result ends which stage of the tracker; alignment stands before the decoder and is counted with it."""


_LINE = 64
"""Bytes of a line of the cache."""


class Counter(TorchDispatchMode):
    """
    Counts what runs inside the block.

    ``flops`` are those of convolutions, matrix products and attention; ``operations`` are all that do more than look
    at a tensor in another way; ``moved`` are the bytes that those read and write which are not among the first, whole
    lines of the cache where they sample features.
    """

    def __init__(self):
        """Start at zero."""
        super().__init__()
        self.flops = self.operations = self.moved = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operator and count it; one that is made of others is taken apart."""
        kwargs = kwargs or {}
        counted = func._overloadpacket in flop_registry
        if not counted and func is not torch.ops.prim.device.default:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if counted:
            self.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        if not func.is_view:
            self.operations += 1
            self.moved += 0 if counted else _bytes((args, result)) + _sampled(func, args)
        return result


def _bytes(values: object) -> int:
    return sum(x.numel() * x.element_size() for x in tree_leaves(values) if isinstance(x, torch.Tensor))


def _sampled(func: torch._ops.OpOverload, args: tuple) -> int:
    """Return the bytes of the lines of the cache that the samples of features come from."""
    if func is torch.ops.aten.grid_sampler_2d.default:
        # The channels of a cell lie apart: a line for each number of its four neighbours.
        return args[1].numel() // 2 * 4 * args[0].shape[1] * _LINE
    if func is torch.ops.aten._embedding_bag_forward_only.default:
        row = args[0].shape[1] * args[0].element_size()
        return args[1].numel() * -(-row // _LINE) * _LINE
    return 0


def arithmetic(tracker: AgentTracker, scene: BenchScene) -> dict[str, Any]:
    """
    Return 10^9 multiply-adds by stage of the reference path, and the milliseconds that a matrix product takes for them.

    Counted are convolutions, matrix products and attention of a first frame. Sampling, norms and copies are not, so
    the time is a floor.
    """
    flops, last = {}, 0
    counter = Counter()

    def observe(name: str, value: object) -> None:
        nonlocal last
        if name in _ENDS:
            flops[_ENDS[name]], last = counter.flops - last, counter.flops
    inputs = tracker.prepare(scene.frame(0))
    with counter:
        tracker.advance(tracker.initial(), inputs, scene.messages(0), observe=observe)
    peak = matmul_flops_per_second(tracker.device)
    return {'gmac': {k: v / 2e9 for k, v in flops.items()}, 'matmul_gflops_per_second': peak / 1e9,
            'floor_ms': {k: v / peak * 1e3 for k, v in flops.items()}}
