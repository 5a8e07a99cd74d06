"""ConvNeXt backbone (arXiv:2201.03545), entries named as in torchvision's files of ImageNet weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...common.config import BackboneConfig


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised features."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _ToLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class _ToFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7 convolution, layer norm and a two-layer perceptron, scaled and added to the input."""

    def __init__(self, width: int):
        """Create the layers; the scale starts at 1e-6."""
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width), _ToLast(), nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), _ToFirst())
        self.layer_scale = nn.Parameter(torch.full((width, 1, 1), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, H, W)."""
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    """Four stages at strides 4 to 32; returns the last one, normalised."""

    def __init__(self, config: BackboneConfig):
        """Create the layers from widths and numbers of blocks per stage."""
        super().__init__()
        widths = config.widths
        self.channels = widths[3]
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0], eps=1e-6))]
        for i, (width, count) in enumerate(zip(widths, config.blocks, strict=True)):
            if i:
                layers.append(nn.Sequential(
                    ChannelNorm(widths[i - 1], eps=1e-6), nn.Conv2d(widths[i - 1], width, 2, 2)))
            layers.append(nn.Sequential(*(ConvNeXtBlock(width) for _ in range(count))))
        self.features = nn.Sequential(*layers)
        self.norm = ChannelNorm(widths[3], eps=1e-6)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H / 32, W / 32) of images (B, 3, H, W)."""
        return self.norm(self.features(x))
