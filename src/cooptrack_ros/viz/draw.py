"""Small drawing helpers on BGR pictures."""

from __future__ import annotations

import cv2
import numpy as np

from ..common.colours import Colour, identity_colour

_SHIFT = 4
"""Fractional bits of drawn coordinates, for smooth lines."""
_FARTHEST = 1e4
"""Pixels: whatever lies beyond is drawn there, where nobody sees it."""


def bgr(colour: Colour) -> tuple[int, int, int]:
    """Return red, green, blue in 0..1 as BGR in 0..255."""
    red, green, blue = colour
    return int(255 * blue), int(255 * green), int(255 * red)


def bgr_of(track_id: int) -> tuple[int, int, int]:
    """Return the colour of an identity as BGR in 0..255."""
    return bgr(identity_colour(track_id))


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(np.clip(points, -_FARTHEST, _FARTHEST) * (1 << _SHIFT)).astype(np.int32)


def polyline(image: np.ndarray, points: np.ndarray, colour, thickness: int = 1, closed: bool = False) -> None:
    """Draw connected lines through points (n, 2)."""
    cv2.polylines(image, [_fixed(points)], closed, colour, thickness, cv2.LINE_AA, _SHIFT)


def dashed(image: np.ndarray, points: np.ndarray, colour, thickness: int = 1, dash: float = 6.0,
           closed: bool = True) -> None:
    """Draw dashed lines through points (n, 2), pixels."""
    points = np.clip(points, -_FARTHEST, _FARTHEST)
    ends = np.concatenate([points, points[:1]]) if closed else points
    for start, end in zip(ends[:-1], ends[1:]):
        length = float(np.linalg.norm(end - start))
        for offset in np.arange(0, length, 2 * dash):
            piece = np.stack([start + (end - start) * t / max(length, 1e-6)
                              for t in (offset, min(offset + dash, length))])
            polyline(image, piece, colour, thickness)


def fill(image: np.ndarray, points: np.ndarray, colour, opacity: float) -> None:
    """Fill a polygon (n, 2) with some transparency."""
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 2, [image.shape[1], image.shape[0]])
    if x1 <= x0 or y1 <= y0:
        return
    patch = image[y0:y1, x0:x1]
    painted = patch.copy()
    cv2.fillPoly(painted, [_fixed(points - [x0, y0])], colour, cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(painted, opacity, patch, 1 - opacity, 0, dst=patch)


def text(image: np.ndarray, words: str, position, colour=(255, 255, 255), size: float = 0.5,
         centred: bool = False) -> None:
    """Write words with a dark outline so that they can be read on anything."""
    x, y = (int(v) for v in np.clip(position, -_FARTHEST, _FARTHEST))
    if centred:
        (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        x, y = x - width // 2, y + height // 2
    cv2.putText(image, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 3, cv2.LINE_AA)
    cv2.putText(image, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
