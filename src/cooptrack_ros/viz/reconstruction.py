"""A picture of hidden cells of a point cloud: what was seen, what was said of the rest, and what is there."""

from __future__ import annotations

import numpy as np

from .bev import BevView, draw_grid
from .clouds import put_points, spectrum
from .draw import fill, text

_BACKGROUND, _HIDDEN, _DIM = (34, 30, 28), (70, 62, 120), (96, 92, 88)
_HEIGHTS_M = (-2.5, 3.0)


def draw_reconstruction(title: str, visible: np.ndarray, centres: np.ndarray, size: float, predicted: np.ndarray,
                        truth: np.ndarray, size_px: int = 560, reach_m: float = 52.0) -> np.ndarray:
    """
    Return three pictures side by side: what the network sees, what it says of hidden cells, and the truth.

    :param visible: points (N, 3 or more) outside of hidden cells; :param predicted: and :param truth: those in them.
    :param centres: of hidden cells (M, 2 or more); :param size: of a cell, metres.
    """
    view = BevView(size_px, reach_m)
    panels = [_panel(view, visible, True, centres, size, f'{title}: seen, and hidden cells')]
    for points, words in ((predicted, 'said of hidden cells'), (truth, 'truth of hidden cells')):
        panels.append(_panel(view, visible, False, centres[:0], size, words))
        put_points(panels[-1], view.pixels(points), spectrum(points[:, 2], *_HEIGHTS_M))
    return np.hstack(panels)


def _panel(view: BevView, visible: np.ndarray, bright: bool, centres: np.ndarray, size: float,
           words: str) -> np.ndarray:
    image = np.full((view.size_px, view.size_px, 3), _BACKGROUND, np.uint8)
    draw_grid(image, view)
    for x, y in centres[:, :2]:
        corners = np.array([[x, y]]) + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2
        fill(image, view.pixels(corners), _HIDDEN, 1.0)
    colours = spectrum(visible[:, 2], *_HEIGHTS_M) if bright else np.full((len(visible), 3), _DIM, np.uint8)
    put_points(image, view.pixels(visible), colours)
    text(image, words, (8, 18))
    return image
