"""Sine embeddings of points and history slots (method.md 1.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sine_embedding(values: Tensor, width: int) -> Tensor:
    """Return (..., width) of values in 0..1: sine at even, cosine at odd places, wavelengths 1 to 10000."""
    k = torch.arange(width, dtype=torch.float32, device=values.device)
    wavelength = 10000 ** (2 * torch.div(k, 2, rounding_mode='floor') / width)
    angles = (values * (2 * math.pi))[..., None] / wavelength
    return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1).flatten(-2)


def point_embedding(points: Tensor, width: int) -> Tensor:
    """Return (..., 3 * width) of normalised points (..., 3), coordinates in the order y, x, z."""
    return torch.cat([sine_embedding(points[..., c], width) for c in (1, 0, 2)], dim=-1)


def slot_embedding(slots: int, width: int, device: torch.device | str = 'cpu') -> Tensor:
    """Return (slots, width): the embedding of history slots, the last one being now."""
    times = torch.arange(slots, dtype=torch.float32, device=device) / max(slots - 1, 1)
    return sine_embedding(times, width)
