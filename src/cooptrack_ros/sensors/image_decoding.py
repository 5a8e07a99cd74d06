"""Compressed images: what their header says, and decoding them no larger than needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

_START = b'\xff\xd8'
_NO_PAYLOAD = {0x01, *range(0xD0, 0xD9)}
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
_EXIF = 0xE1, b'Exif'
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2,
            1: cv2.IMREAD_COLOR}


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


def decode_reduced(data: np.ndarray, least: tuple[int, int] | None = None) -> DecodedImage | None:
    """
    Return an image from a file or message, None if it cannot be decoded.

    A JPEG image may be reduced to a half, a quarter or an eighth, which costs less than to decode and scale it.
    Only such reductions are used as leave whole numbers of rows and columns, so that the geometry stays exact, and none
    where a note of the camera (Exif) may turn the image.

    :param data: (n,) uint8; :param least: rows and columns that must remain; None: all of them.
    """
    if not len(data):
        return None
    reduction = _reduction(memoryview(data), least) if least else 1
    pixels = cv2.imdecode(data, _REDUCED[reduction])
    return None if pixels is None else DecodedImage(pixels, reduction)


def jpeg_size(data: bytes | memoryview) -> tuple[int, int]:
    """
    Return (width, height) of a JPEG image.

    :raises ValueError: if the data is no JPEG image.
    """
    for marker, start in _segments(data):
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(data[start + i:start + i + 2], 'big') for i in (3, 5))
            return width, height
    raise ValueError('a JPEG image without frame header')


def _reduction(data: memoryview, least: tuple[int, int]) -> int:
    """Return by how much rows and columns may be divided."""
    try:
        columns, rows = jpeg_size(data)
        if any(marker == _EXIF[0] and data[start + 2:start + 6] == _EXIF[1] for marker, start in _segments(data)):
            return 1
    except ValueError:
        return 1
    return next(n for n in _REDUCED if n == 1 or (
        rows % n == columns % n == 0 and rows // n >= least[0] and columns // n >= least[1]))


def _segments(data: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """Yield marker and start of each segment before the scan, as far as the data goes; ValueError if it is no JPEG."""
    if data[:2] != _START:
        raise ValueError('not a JPEG image')
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF and data[position + 1] != _SCAN:
        marker = data[position + 1]
        if marker == 0xFF or marker in _NO_PAYLOAD:
            # Fill bytes and markers without a length.
            position += 1 if marker == 0xFF else 2
            continue
        yield marker, position + 2
        position += 2 + int.from_bytes(data[position + 2:position + 4], 'big')
