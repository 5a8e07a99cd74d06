"""Tells, without a GPU, whether a computation would make the host wait for one."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {'_local_scalar_dense', 'item', 'is_nonzero', 'nonzero', 'nonzero_numpy', 'masked_select', 'equal', 'unique',
           '_unique', '_unique2', 'unique_dim', 'unique_consecutive', 'bincount', 'histc', 'repeat_interleave',
           '_linalg_check_errors', 'linalg_inv', 'lift_fresh', 'lift_fresh_copy', '_pin_memory'}
"""Operations that copy from or to the host, or whose result has a size that only the device knows."""


class HostWait(AssertionError):
    """A computation on the device asked for the host."""


COPYING = {torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy, torch.Tensor.new_tensor}
"""Functions that copy values of the host."""


class NoHostWaits(ExitStack):
    """
    Raises a ``HostWait`` as soon as an operation on the meta device would be a wait or a copy from the host on a GPU.

    Tensors on the meta device have no values, so nothing can look at them; whatever else takes part was made by the
    host. To be used around calls whose tensors all lie on that device.
    """

    def __enter__(self):
        """Watch calls and the operations that they become."""
        super().__enter__()
        self.enter_context(_Operations())
        self.enter_context(_Calls())
        return self


class _Calls(TorchFunctionMode):
    """Sees what becomes no operation: tensors of Python values, and lists as indices."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in COPYING:
            raise HostWait(f'{func.__name__} copies values of the host')
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(i, (list, np.ndarray)) for i in index):
                raise HostWait(f'{func.__name__} with a list of the host')
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """Sees what runs on the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in WAITING:
            raise HostWait(f'{func} waits for the device')
        tensors = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        if any(t.device.type != 'meta' for t in tensors):
            raise HostWait(f'{func} takes a tensor of the host')
        if name in ('index', 'index_put', 'index_put_') and any(
                isinstance(i, torch.Tensor) and i.dtype in (torch.bool, torch.uint8) for i in args[1] if i is not None):
            raise HostWait(f'{func} selects by a mask')
        result = func(*args, **kwargs)
        if any(t.device.type != 'meta' for t in pytree.tree_leaves(result) if isinstance(t, torch.Tensor)):
            raise HostWait(f'{func} makes a tensor on the host')
        return result
