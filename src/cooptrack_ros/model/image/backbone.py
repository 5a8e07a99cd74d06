"""Image backbones: ResNet (the published one has 50 layers), a small residual network for CPUs, ConvNeXt."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ...common.config import BackboneConfig
from .convnext import ConvNeXt


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolution around a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int):
        """Create the layers; ``width`` is that of the middle convolution."""
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 * width, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int):
        """Create the layers."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _stage(block: type, inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    layers = [block(inputs, width, stride)]
    layers += [block(width * block.expansion, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(*layers)


class ResNet(nn.Module):
    """ResNet of bottlenecks; returns the last stage (stride 32). Batch norms always use their stored statistics."""

    def __init__(self, config: BackboneConfig):
        """Create the layers; stem and first stage are not trained, nor any batch norm (method.md 3)."""
        super().__init__()
        widths, blocks = config.widths, config.blocks
        self.channels = widths[3] * Bottleneck.expansion
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(Bottleneck, 64, widths[0], blocks[0], 1)
        self.layer2 = _stage(Bottleneck, widths[0] * 4, widths[1], blocks[1], 2)
        self.layer3 = _stage(Bottleneck, widths[1] * 4, widths[2], blocks[2], 2)
        self.layer4 = _stage(Bottleneck, widths[2] * 4, widths[3], blocks[3], 2)
        frozen = [self.conv1, self.bn1, self.layer1]
        frozen += [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        for module in frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> ResNet:
        """Switch the mode of everything but the batch norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H / 32, W / 32) of images (B, 3, H, W)."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class CompactBackbone(nn.Module):
    """
    Residual network whose deeper stages are added onto finer ones until ``out_stride`` is reached.

    The stem has stride 4. The sum keeps the reach of the last stage at the resolution of a finer one, which
    small objects need, for the price of one 1x1 convolution per added stage.
    """

    def __init__(self, config: BackboneConfig):
        """Create the layers."""
        super().__init__()
        widths = config.widths
        self.channels = widths[3]
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0] // 2, 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0] // 2), nn.ReLU(),
            nn.Conv2d(widths[0] // 2, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        inputs = (widths[0], *widths)
        self.stages = nn.ModuleList(
            _stage(BasicBlock, inputs[i], widths[i], config.blocks[i], 1 if i == 0 else 2) for i in range(4))
        self.first_level = {4: 0, 8: 1, 16: 2, 32: 3}[config.out_stride]
        self.laterals = nn.ModuleList(
            nn.Conv2d(widths[i], widths[3], 1) for i in range(self.first_level, 3))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H / out_stride, W / out_stride) of images (B, 3, H, W)."""
        x = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        for lateral, finer in zip(reversed(self.laterals), reversed(levels[self.first_level:3]), strict=True):
            x = F.interpolate(x, size=finer.shape[-2:], mode='nearest') + lateral(finer)
        return x


def build_backbone(config: BackboneConfig) -> nn.Module:
    """
    Return the backbone of a configuration; its ``channels`` is the width of the output.

    :raises ValueError: for an unknown kind.
    """
    kinds = {'resnet': ResNet, 'compact': CompactBackbone, 'convnext': ConvNeXt}
    if config.kind not in kinds:
        raise ValueError(f"unknown backbone '{config.kind}'; known: {', '.join(kinds)}")
    return kinds[config.kind](config)
