"""Arithmetic of each stage of a step, and the time that it would take at the peak of the device."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ..core.tracker import AgentTracker
from .machine import matmul_flops_per_second
from .scene import BenchScene

_ENDS = {'features': 'image_features', 'bev': 'bev_encoder', 'decoded': 'decoder', 'reasoned': 'reasoning',
         'fused': 'fusion'}
"""Which result ends which stage of the tracker; alignment stands before the decoder and is counted with it."""


class _Counter(TorchDispatchMode):
    """Counts the operations of convolutions, matrix products and attention."""

    def __init__(self):
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operator and count it; one that is made of others is taken apart."""
        kwargs = kwargs or {}
        if func._overloadpacket not in flop_registry and func is not torch.ops.prim.device.default:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        return result


def arithmetic(tracker: AgentTracker, scene: BenchScene) -> dict[str, Any]:
    """
    Return 10^9 multiply-adds by stage of the reference path, and the milliseconds that a matrix product takes for them.

    Counted are convolutions, matrix products and attention of a first frame. Sampling, norms and copies are not, so
    the time is a floor.
    """
    flops, last = {}, 0
    counter = _Counter()

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
