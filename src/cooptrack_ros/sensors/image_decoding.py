"""Compressed images: decoding them as they are stored, no larger than needed, and only if nothing of them is lost."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..common.errors import UserError
from ..common.reading import MIB, read_bounded
from .jpeg import JpegLayout, is_jpeg, jpeg_layout, with_end, with_more_pixels
from .stated_size import NOT_READABLE, check_decodable

# Turned images would not fit their calibration, which is for pixels as they are stored.
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {n: flag | cv2.IMREAD_IGNORE_ORIENTATION for n, flag in (
    (8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2),
    (1, cv2.IMREAD_COLOR))}
MAX_IMAGE_BYTES = 64 * MIB


class DecodedImage(NamedTuple):
    """``pixels`` (H, W, 3) uint8 BGR of an image that has ``reduction`` times as many rows and columns."""

    pixels: np.ndarray
    reduction: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the whole image."""
        return self.pixels.shape[0] * self.reduction, self.pixels.shape[1] * self.reduction

    def projection(self, img_from_lidar: np.ndarray) -> np.ndarray:
        """Return a projection (4, 4) to the whole image as one to ``pixels``; exact, reductions are powers of two."""
        return img_from_lidar / [[self.reduction], [self.reduction], [1], [1]]


def decode_reduced(data: bytes, least: tuple[int, int] | None = None) -> DecodedImage:
    """
    Return an image from a file or message, never turned, whatever a note of the camera (Exif) says.

    A JPEG image may be reduced to a half, a quarter or an eighth, which costs less than to decode and scale it.
    Only such reductions are used as leave whole numbers of rows and columns, so that the geometry stays exact.

    :param least: rows and columns that must remain; None: all of them.
    :raises ValueError: if it cannot be decoded, has lost data, more than 8 bits a channel, or too many pixels.
    """
    if is_jpeg(data):
        return _decode_jpeg(data, least)
    pixels = _decode(data, _AS_STORED)
    if pixels.dtype != np.uint8:
        raise ValueError(f'an image of {8 * pixels.itemsize} bits a channel, expected 8')
    return DecodedImage(pixels)


def decode_mosaic(data: bytes) -> np.ndarray:
    """
    Return the one channel (H, W) uint8 of an image that is not JPEG, whose colours would be smeared.

    :raises ValueError: for any other image.
    """
    if is_jpeg(data):
        raise ValueError('a mosaic of colours as JPEG, expected PNG')
    pixels = _decode(data, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise ValueError(f'a mosaic of colours with the shape {pixels.shape} of {pixels.dtype}, expected one channel '
                         'of 8 bits')
    return pixels


def read_image(path: Path, least: tuple[int, int] | None = None) -> DecodedImage:
    """
    Return the image of a file, see ``decode_reduced``.

    :raises UserError: if there is none, or it cannot be used.
    """
    try:
        return decode_reduced(read_bounded(path, MAX_IMAGE_BYTES), least)
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{path}: {error}') from error


def _decode(data: bytes, flags: int) -> np.ndarray:
    if not data:
        raise ValueError('an empty image')
    check_decodable(data)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        # Among others, for more pixels than OpenCV takes.
        raise ValueError(NOT_READABLE) from error
    if pixels is None:
        raise ValueError(NOT_READABLE)
    return pixels


def _decode_jpeg(data: bytes, least: tuple[int, int] | None) -> DecodedImage:
    layout = jpeg_layout(data)
    if not layout.is_complete:
        raise ValueError('a JPEG image that is cut short: scans are missing')
    reduction = _reduction(layout, least) if least else 1
    data = with_end(data, layout)
    pixels = _decode(data, _REDUCED[reduction])
    if _lacks_pixels(data, layout, pixels):
        raise ValueError('a JPEG image that is cut short: pixels are missing')
    return DecodedImage(pixels, reduction)


def _lacks_pixels(data: bytes, layout: JpegLayout, pixels: np.ndarray) -> bool:
    """
    Tell whether the decoder had to make up the last pixels.

    It does so in silence, in medium grey unless the image is progressive. What looks so is decoded a second time, with
    more data than there is: pixels that were made up become others.
    """
    could_be = layout.is_progressive or layout.channels > 3 or (pixels[-1, -1] == 128).all()
    if not could_be:
        return False
    flags = _REDUCED[layout.width // pixels.shape[1]]
    return not np.array_equal(pixels, _decode(with_more_pixels(data, layout), flags))


def _reduction(layout: JpegLayout, least: tuple[int, int]) -> int:
    """Return by how much rows and columns may be divided."""
    columns, rows = layout.width, layout.height
    return next(n for n in _REDUCED if n == 1 or (
        rows % n == columns % n == 0 and rows // n >= least[0] and columns // n >= least[1]))
