"""The processes of one training, one per GPU, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from ..model.device import check_available


@dataclass(frozen=True)
class Ranks:
    """
    This process among all of the training; a process alone communicates with nobody.

    Gradients are averaged after the backward pass instead of inside it (``DistributedDataParallel``): the losses of a
    frame go through single stages of the network, not through one ``forward``, and a step has several of them.
    """

    rank: int = 0
    count: int = 1
    device: str = 'cpu'

    @staticmethod
    def join(device: str) -> Ranks:
        """
        Return this process's place, from the environment that torchrun sets; joins the others.

        :param device: ``cpu``, or ``cuda`` for the GPU with the number of the local process.
        :raises UserError: for a device that is not there.
        """
        count = int(os.environ.get('WORLD_SIZE', '1'))
        check_available(device)
        if device == 'cuda':
            device = f'cuda:{os.environ.get("LOCAL_RANK", "0")}'
        if device.startswith('cuda'):
            check_available(device)
            torch.cuda.set_device(device)
        if count == 1:
            return Ranks(device=device)
        dist.init_process_group('nccl' if device.startswith('cuda') else 'gloo')
        return Ranks(dist.get_rank(), count, device)

    def leave(self) -> None:
        """Part from the others."""
        if self.count > 1:
            dist.destroy_process_group()

    def slots(self, batch_size: int) -> range:
        """Return which slots of the batch are this process's."""
        share = batch_size // self.count
        return range(self.rank * share, (self.rank + 1) * share)

    def sum(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the sums over all processes; every process must name the same values in the same order."""
        if self.count == 1:
            return dict(values)
        total = torch.tensor(list(values.values()), dtype=torch.float32, device=self.device)
        dist.all_reduce(total)
        return dict(zip(values, total.tolist(), strict=True))

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add up the gradients of all processes; one that no process has stays missing."""
        if self.count == 1:
            return
        present = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=self.device)
        dist.all_reduce(present)
        used = [p for p, n in zip(parameters, present.tolist(), strict=True) if n]
        for p in used:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        flat = torch.cat([p.grad.flatten() for p in used])
        dist.all_reduce(flat)
        for p, part in zip(used, flat.split([p.numel() for p in used]), strict=True):
            p.grad.copy_(part.view_as(p))

    def gather(self, item: Any) -> list[Any]:
        """Return what every process gives, in the order of ranks; the others get an empty list."""
        if self.count == 1:
            return [item]
        items: list[Any] = [None] * self.count if self.rank == 0 else []
        dist.gather_object(item, items if self.rank == 0 else None)
        return items

    def agree(self, value: float) -> float:
        """Return what the first process says."""
        if self.count == 1:
            return value
        said = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(said, 0)
        return said.item()
