"""Colours of what is shown, the same in pictures and markers: red, green, blue in 0..1, for a dark ground."""

from __future__ import annotations

Colour = tuple[float, float, float]

# After Okabe and Ito: they stay apart with the common kinds of colour blindness. Red, green, blue in 0..255. No
# orange, white or black: pictures frame what comes from a roadside unit in orange or white, on a dark ground.
_HUES = ((86, 180, 233), (240, 228, 66), (220, 70, 60), (0, 158, 115), (204, 121, 167), (70, 80, 190))
_SHADES = (0.0, 0.4, -0.25)
"""Towards white (positive) or black, for the identities after the first six."""

NUM_COLOURS = len(_HUES) * len(_SHADES)
"""Identities that differ by this number share a colour."""

ROADSIDE_COLOUR: Colour = (1.0, 200 / 255, 80 / 255)
"""Amber: of everything that only a roadside unit knows, and of the units themselves."""
RECEIVED_COLOUR: Colour = (0.72, 0.66, 0.52)
"""The same, greyed: of what units sent, which is not a result."""
FUSED_FRAME_COLOUR: Colour = (1.0, 1.0, 1.0)
"""White: the outline of what both sides see."""
TRUTH_COLOUR: Colour = (235 / 255, 235 / 255, 235 / 255)
PROVENANCE_COLOURS: tuple[Colour, ...] = ((86 / 255, 180 / 255, 233 / 255), ROADSIDE_COLOUR,
                                          (170 / 255, 70 / 255, 150 / 255))
"""By ``common.types.Provenance``: ego blue, roadside amber, fused purple."""


def identity_colour(track_id: int) -> Colour:
    """Return red, green, blue in 0..1; neighbouring identities differ in hue also for the colour-blind."""
    shade = _SHADES[track_id // len(_HUES) % len(_SHADES)]
    goal = 255 if shade > 0 else 0
    red, green, blue = ((value + (goal - value) * abs(shade)) / 255 for value in _HUES[track_id % len(_HUES)])
    return red, green, blue
