"""Which numbers are computed in low precision: features are; points, poses, times, boxes and classes never."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

DTYPES = {'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}


def features_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager:
    """Compute matrix products in a precision; sums of features and their norms stay float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype, cache_enabled=False)


def exact(values: Tensor) -> AbstractContextManager:
    """Compute in the precision of the inputs inside a block for features."""
    kind = values.device.type
    if kind in ('cpu', 'cuda') and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()
