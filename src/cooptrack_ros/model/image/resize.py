"""Images scaled down by averaging over areas."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

_LARGEST_BLOCK = 32
"""Pixels of a row or column after which the way of a scale repeats itself; beyond that products are mostly zeros."""
_STRIPS = 8
"""So many parts of an image are scaled one after the other: what lies between their two products stays in a cache."""


def area_shares(inputs: int, outputs: int) -> np.ndarray:
    """Return (outputs, inputs) float32: how much of each output pixel lies on each input pixel."""
    edges = np.arange(outputs + 1) * (inputs / outputs)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(inputs)
    overlap = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None)
    return (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)


def scale_by_area(bgr: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """
    Return the image (rows, columns, 3) uint8 as OpenCV does, which is slower for ratios like 15 to 8.

    Where it has fewer rows or columns than asked for, these are interpolated after the others are averaged, which
    OpenCV does not do at once.

    :param bgr: (H, W, 3) uint8.
    """
    down, across = min(rows, bgr.shape[0]), min(columns, bgr.shape[1])
    if (down, across) != (rows, columns):
        return cv2.resize(scale_by_area(bgr, down, across), (columns, rows), interpolation=cv2.INTER_LINEAR)
    blocks = _blocks(*bgr.shape[:2], rows, columns)
    if blocks is None:
        return cv2.resize(bgr, (columns, rows), interpolation=cv2.INTER_AREA)
    # What cannot be written to is copied, too: PyTorch warns of it.
    source = torch.from_numpy(np.require(bgr, requirements='CW')).view(-1, blocks.down.shape[1], 3 * bgr.shape[1])
    scaled = torch.empty(rows, 3 * columns)
    with torch.inference_mode():
        for strip, target in zip(source.tensor_split(_STRIPS), scaled.view(len(source), -1).tensor_split(_STRIPS),
                                 strict=True):
            lower = blocks.down @ strip.float()
            torch.mm(lower.view(-1, len(blocks.across)), blocks.across, out=target.view(-1, blocks.across.shape[1]))
        return scaled.round_().to(torch.uint8).view(rows, columns, 3).numpy()


class _Blocks(NamedTuple):
    down: Tensor
    """(rows out, rows in) of a block."""
    across: Tensor
    """(3 * columns in, 3 * columns out) of a block, the three colours of a pixel side by side."""


@lru_cache(maxsize=16)
def _blocks(height: int, width: int, rows: int, columns: int) -> _Blocks | None:
    """Return what every block of rows and of columns is multiplied with, None where OpenCV is as good."""
    sizes = [(size // gcd(size, to), to // gcd(size, to)) for size, to in ((height, rows), (width, columns))]
    if any(not 1 < to < size <= _LARGEST_BLOCK for size, to in sizes):
        return None
    down, across = (torch.from_numpy(area_shares(*size)) for size in sizes)
    return _Blocks(down, torch.kron(across.T.contiguous(), torch.eye(3)))
