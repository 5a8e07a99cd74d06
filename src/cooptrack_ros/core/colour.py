"""One colour per identity, the same in pictures and markers."""

from __future__ import annotations

# After Okabe and Ito: they stay apart with the common kinds of colour blindness. Red, green, blue in 0..255. No
# orange, white or black: pictures frame what comes from a roadside unit in orange or white, on a dark ground.
_HUES = ((86, 180, 233), (240, 228, 66), (220, 70, 60), (0, 158, 115), (204, 121, 167), (70, 80, 190))
_SHADES = (0.0, 0.4, -0.25)
"""Towards white (positive) or black, for the identities after the first six."""

NUM_COLOURS = len(_HUES) * len(_SHADES)
"""Identities that differ by this number share a colour."""


def identity_colour(track_id: int) -> tuple[float, float, float]:
    """Return red, green, blue in 0..1; neighbouring identities differ in hue also for the colour-blind."""
    shade = _SHADES[track_id // len(_HUES) % len(_SHADES)]
    goal = 255 if shade > 0 else 0
    red, green, blue = ((value + (goal - value) * abs(shade)) / 255 for value in _HUES[track_id % len(_HUES)])
    return red, green, blue
