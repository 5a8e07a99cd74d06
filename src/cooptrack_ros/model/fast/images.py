"""From camera images to the network input on the device that runs the network (method.md 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.config import ModelConfig
from ..image.preprocess import MEAN_RGB, STD_RGB, scaled_size
from ..image.resize import area_shares


class ImageScaler(nn.Module):
    """Does what ``model.image.preprocess.prepare_image`` does with OpenCV, for images of one size."""

    def __init__(self, image_shape: tuple[int, int], config: ModelConfig):
        """
        Prepare for images of a height and width.

        :raises ValueError: for images that would have to be enlarged, which is left to OpenCV.
        """
        super().__init__()
        self._scaled, self._whole = scaled_size(image_shape, config), config.resize == 'area'
        if self._scaled[0] > image_shape[0] or self._scaled[1] > image_shape[1]:
            raise ValueError(f'images of {image_shape[0]}x{image_shape[1]} are smaller than the network input')
        self._halves = image_shape[0] == 2 * self._scaled[0] and image_shape[1] == 2 * self._scaled[1]
        self._padding = (0, config.input_size[1] - self._scaled[1], 0, config.input_size[0] - self._scaled[0])
        self.register_buffer('mean', torch.from_numpy(MEAN_RGB).float().view(3, 1, 1))
        self.register_buffer('std', torch.from_numpy(STD_RGB).float().view(3, 1, 1))
        for name, n, m in zip(('rows', 'columns'), image_shape, self._scaled, strict=True):
            self.register_buffer(name, torch.from_numpy(area_shares(n, m)) if self._whole else None)

    def forward(self, images: Tensor) -> Tensor:
        """Return (V, 3, rows, columns) float32 of BGR images (V, H, W, 3) uint8."""
        planes = images.permute(0, 3, 1, 2).float().flip(1)
        if self._whole:
            planes = self.rows @ planes @ self.columns.T
            # OpenCV rounds means to whole grey levels, and has a rule of its own for means of four pixels.
            planes = (planes + 0.5).floor() if self._halves else planes.round()
        else:
            planes = F.interpolate(planes, size=self._scaled, mode='bilinear', align_corners=False)
        return F.pad((planes - self.mean) / self.std, self._padding)
