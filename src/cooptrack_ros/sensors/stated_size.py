"""The size that the header of a compressed image states, read without decoding it."""

from __future__ import annotations

from io import BytesIO

from .jpeg import is_jpeg, jpeg_size

MAX_PIXELS = 100_000_000
"""Of an image that is decoded at all: a hundred kilobytes can claim gigabytes."""
NOT_READABLE = 'not a readable image'
_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_HEADER, _PNG_BITS = b'IHDR', 24


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) of a JPEG or PNG image, None for everything else."""
    try:
        return png_size(data) or jpeg_size(data)
    except ValueError:
        return None


def png_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) of a PNG image, None for everything else."""
    if data[:8] == _PNG and data[12:16] == _PNG_HEADER and len(data) >= 24:
        return int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')
    return None


def check_decodable(data: bytes) -> None:
    """
    See that an image is not larger than any camera makes it.

    :raises ValueError: if it is, has more than 8 bits a channel, or nothing in it states a size.
    """
    size = png_size(data)
    if size and data[_PNG_BITS:_PNG_BITS + 1] > b'\x08':
        raise ValueError(f'an image of {data[_PNG_BITS]} bits a channel, expected 8')
    columns, rows = size or (jpeg_size(data) if is_jpeg(data) else _other_size(data))
    if columns * rows > MAX_PIXELS:
        raise ValueError(f'an image of {columns}x{rows}, expected at most {MAX_PIXELS // 10**6} million pixels')


def _other_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of an image of a rarer format."""
    from PIL import Image, UnidentifiedImageError
    try:
        with Image.open(BytesIO(data)) as image:
            return image.size
    except Image.DecompressionBombError as error:
        raise ValueError(f'an image of more than {MAX_PIXELS // 10**6} million pixels') from error
    # The library lets through whatever broken bytes cause inside it.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        raise ValueError(NOT_READABLE) from error
