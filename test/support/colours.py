"""Colours as the colour-blind see them."""

from __future__ import annotations

import numpy as np

COLOUR_BLIND = {
    'protanopia': ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    'deuteranopia': ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    'tritanopia': ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900))}
"""What is left of linear red, green, blue; Machado, Oliveira and Fernandes 2009, severity 1.0."""


def least_distance(colours, sight: str) -> float:
    """Return how far the two most similar of some RGB colours (N, 3), 0 to 1, are apart for one kind of sight."""
    seen = np.clip(np.array(colours) ** 2.2 @ np.array(COLOUR_BLIND[sight]).T, 0, 1) ** (1 / 2.2)
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return float(distance[~np.eye(len(seen), dtype=bool)].min())
