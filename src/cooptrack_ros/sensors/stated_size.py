"""The size that the header of a compressed image states, read without decoding it."""

from __future__ import annotations

from .jpeg import jpeg_size

_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_HEADER = b'IHDR'


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
