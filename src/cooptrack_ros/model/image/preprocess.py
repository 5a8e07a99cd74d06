"""From a camera image to the network input (method.md 3)."""

from __future__ import annotations

import cv2
import numpy as np

from ...common.config import ModelConfig
from .resize import scale_by_area

MEAN_RGB = np.array([123.675, 116.28, 103.53])
STD_RGB = np.array([58.395, 57.12, 57.375])


def scaled_size(image_shape: tuple[int, ...], config: ModelConfig) -> tuple[int, int]:
    """Return rows and columns of an image after it is scaled to fit the network input, or to fill it."""
    if config.resize == 'area':
        return config.input_size
    rows, columns = image_shape[:2]
    scale = min(config.input_size[0] / rows, config.input_size[1] / columns)
    return int(rows * scale + 0.5), int(columns * scale + 0.5)


def least_size(config: ModelConfig) -> tuple[int, int] | None:
    """
    Return rows and columns that decoding must leave of an image for this network.

    See ``sensors.image_decoding.decode_reduced``.

    What follows averages over areas, which is hardly changed if decoding did so before. With the published
    interpolation every pixel counts: None.
    """
    return config.input_size if config.resize == 'area' else None


def prepare_image(bgr: np.ndarray, config: ModelConfig) -> np.ndarray:
    """
    Return the normalised, scaled and padded image, float32 (3, rows, columns) in RGB order.

    Normalisation is linear, so doing it after the resize gives the published values; the padding is 0 in
    normalised values, that is mean colour.

    :param bgr: (H, W, 3) uint8.
    :raises ValueError: for another type or shape.
    """
    return normalize_image(fit_image(bgr, config), config)


def check_image(bgr: np.ndarray) -> None:
    """Raise a ValueError for what is no image."""
    if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or 0 in bgr.shape:
        raise ValueError(f'an image must be uint8 (H, W, 3) in BGR order, not {bgr.dtype} {bgr.shape}')


def fit_image(bgr: np.ndarray, config: ModelConfig) -> np.ndarray:
    """
    Return the image (H, W, 3) scaled to fit the network input, not yet padded; uint8 for areas, else float32.

    :raises ValueError: for another type or shape.
    """
    check_image(bgr)
    rows, columns = scaled_size(bgr.shape, config)
    # Bilinear interpolation must not round to whole grey levels; averaging over areas may.
    if config.resize == 'linear':
        return cv2.resize(bgr.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return scale_by_area(bgr, rows, columns)


def normalize_image(scaled: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Return a scaled BGR image (rows, columns, 3) on 0..255 normalised and padded, float32 (3, rows, columns)."""
    rows, columns = scaled.shape[:2]
    padded = np.zeros((3, *config.input_size), np.float32)
    for channel, plane in enumerate(reversed(cv2.split(scaled))):
        values = padded[channel, :rows, :columns]
        if scaled.dtype == np.uint8:
            cv2.LUT(plane, _NORMALIZED[channel], values)
        else:
            _normalize(plane, channel, values)
    return padded


def _normalize(plane: np.ndarray, channel: int, out: np.ndarray) -> np.ndarray:
    """Write the normalised values of one colour, in RGB order, to ``out`` and return it."""
    np.subtract(plane, MEAN_RGB[channel], out=out, casting='unsafe')
    out /= STD_RGB[channel]
    return out


_NORMALIZED = [_normalize(np.arange(256), channel, np.empty(256, np.float32)) for channel in range(3)]
"""By colour in RGB order, of every grey level."""


def prepare_projection(img_from_lidar: np.ndarray, image_shape: tuple[int, ...], config: ModelConfig) -> np.ndarray:
    """
    Return the 4x4 projection to pixels of the network input.

    :param img_from_lidar: 4x4 to pixels of the image; :param image_shape: H, W (and more) of the image.
    """
    rows, columns = scaled_size(image_shape, config)
    return np.diag([columns / image_shape[1], rows / image_shape[0], 1.0, 1.0]) @ img_from_lidar
