"""The host vehicle as roadside units see it: it is no object to itself."""

from __future__ import annotations

import numpy as np

LENGTH_M, WIDTH_M = 5.0, 2.2
MARGIN_M = 1.0
"""Units misplace what they see by about this much; the next lane and the next car are farther away."""


def is_host(centre: np.ndarray) -> np.ndarray:
    """Tell (N,) which box centres (N, 3) in the ego lidar frame are those of the vehicle itself."""
    return (np.abs(centre[:, 0]) <= LENGTH_M / 2 + MARGIN_M) & (np.abs(centre[:, 1]) <= WIDTH_M / 2 + MARGIN_M)
