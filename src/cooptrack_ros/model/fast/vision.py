"""From normalised images to image features, in the form that a device runs fastest."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .traced import graph_of


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


class Vision:
    """
    Backbone and neck with folded batch norms.

    They may be packed for oneDNN with their activations fused, which CPUs run fastest; otherwise channels come last.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, packs: bool):
        """
        Prepare copies of the layers.

        :param packs: whether they are packed, for a CPU only.
        """
        self._network = nn.Sequential(folded(backbone), folded(neck)).requires_grad_(False)
        self._packs = packs
        if not self._packs:
            self._network.to(memory_format=torch.channels_last)
        self._packed: dict[torch.Size, torch.jit.ScriptModule] = {}

    def __call__(self, images: Tensor) -> Tensor:
        """Return features (V, C, h, w) of images (V, 3, H, W)."""
        if self._packs:
            if images.shape not in self._packed:
                self._packed[images.shape] = self._pack(images)
            return self._packed[images.shape](images)
        return self._network(images.contiguous(memory_format=torch.channels_last))

    def _pack(self, images: Tensor) -> torch.jit.ScriptModule:
        """Return the layers packed for one shape of input."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            return torch.jit.optimize_for_inference(graph_of(self._network, (images,)))
