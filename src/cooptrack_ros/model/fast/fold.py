"""Batch norms folded into the convolutions before them."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(module: nn.Module) -> nn.Module:
    """
    Return a copy of a network in which every batch norm that follows a convolution is part of it.

    Pairs are found by order of registration, which is the order of use in all our backbones.
    """
    module = copy.deepcopy(module).eval()
    for parent in list(module.modules()):
        last: tuple[str, nn.Module] | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and last is not None and isinstance(last[1], nn.Conv2d):
                setattr(parent, last[0], fuse_conv_bn_eval(last[1], child))
                setattr(parent, name, nn.Identity())
            last = name, child
    return module
