"""What a network can run on, here."""

from __future__ import annotations

import torch

from ..common.errors import UserError


def check_available(device: str) -> None:
    """
    See that this machine has a device.

    :param device: ``cpu``, ``cuda`` or ``cuda:N``.
    :raises UserError: naming what the machine has.
    """
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = None
    if wanted is None or wanted.type not in ('cpu', 'cuda'):
        raise UserError(f"device '{device}': expected cpu, cuda or cuda:N; {_here()}")
    if wanted.type == 'cuda' and (wanted.index or 0) >= _num_gpus():
        raise UserError(f"device '{device}' is not there: {_here()}")


def _num_gpus() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _here() -> str:
    gpus = [f'cuda:{i} ({torch.cuda.get_device_name(i)})' for i in range(_num_gpus())]
    if not gpus and torch.version.cuda is None:
        return f'this machine has cpu, and PyTorch {torch.__version__} is built without CUDA'
    return f"this machine has {', '.join(['cpu', *gpus])}"
