"""Tensors to a device and back without needless waits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


def to_device(tensors, device: torch.device):
    """Return a tree of CPU tensors on a device; the host does not wait for the copies."""
    if device.type == 'cpu':
        return tensors
    return pytree.tree_map(lambda t: t.pin_memory().to(device, non_blocking=True), tensors)


def to_host(tensors: list[Tensor]) -> list[Tensor]:
    """Return float32, int64 and bool tensors on the CPU; waits for the device once."""
    if tensors[0].device.type == 'cpu':
        return tensors
    words = pack(tensors)
    landed = torch.empty(words.shape, dtype=words.dtype, pin_memory=True)
    landed.copy_(words, non_blocking=True)
    done = torch.cuda.Event()
    done.record()
    done.synchronize()
    return unpack(landed, tensors)


def pack(tensors: list[Tensor]) -> Tensor:
    """Return float32, int64 and bool tensors one behind another as words (n,) int32."""
    return torch.cat([(t.int() if t.dtype == torch.bool else t.contiguous()).flatten().view(torch.int32)
                      for t in tensors])


def unpack(words: Tensor, like: list[Tensor]) -> list[Tensor]:
    """Return what ``pack`` packed, given tensors of the same types and shapes."""
    result, start = [], 0
    for t in like:
        size = t.numel() * (2 if t.dtype == torch.int64 else 1)
        part = words[start:start + size]
        # int64 may start at an odd word.
        part = part.bool() if t.dtype == torch.bool else part.clone().view(t.dtype)
        result.append(part.view(t.shape))
        start += size
    return result
