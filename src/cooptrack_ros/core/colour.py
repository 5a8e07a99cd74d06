"""One colour per identity, the same in pictures and markers."""

from __future__ import annotations

import colorsys

_GOLDEN_RATIO = 0.6180339887498949


def identity_colour(track_id: int) -> tuple[float, float, float]:
    """Return red, green, blue in 0..1; neighbouring identities are far apart in hue."""
    return colorsys.hsv_to_rgb(track_id * _GOLDEN_RATIO % 1.0, 0.75, 0.95)
