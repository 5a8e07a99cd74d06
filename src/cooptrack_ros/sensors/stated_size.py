"""The size that the header of a compressed image states, read without decoding it."""

from __future__ import annotations

from .jpeg import is_jpeg, jpeg_size

MAX_PIXELS = 100_000_000
"""Of an image that is decoded at all: a hundred kilobytes can claim gigabytes."""
NOT_READABLE = 'not a readable image'
_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_HEADER, _PNG_BITS, _PNG_END = b'IHDR', 24, b'IEND'
_CHUNK = 12
"""Bytes of a part of a PNG image beside its content: length, name and checksum."""
_BMP, _BMP_HEADER, _BMP_SIZE = b'BM', 40, slice(18, 26)
"""How long the header is at least that states its size in four bytes each, and where."""


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
    See that an image is not larger than any camera makes it, whichever part of it the decoder believes.

    Other formats state their size several times, or how much memory a part of them takes.

    :raises ValueError: if it is, has more than 8 bits a channel, is cut short, or is neither JPEG, PNG nor BMP.
    """
    size = png_size(data)
    if size:
        _check_chunks(data)
        if data[_PNG_BITS] > 8:
            raise ValueError(f'an image of {data[_PNG_BITS]} bits a channel, expected 8')
    columns, rows = size or (jpeg_size(data) if is_jpeg(data) else _bmp_size(data))
    if columns * rows > MAX_PIXELS:
        raise ValueError(f'an image of {columns}x{rows}, expected at most {MAX_PIXELS // 10**6} million pixels')


def _check_chunks(data: bytes) -> None:
    """See that the parts of a PNG image are as long as they say: the decoder takes memory before it reads one."""
    at, name = len(_PNG), b''
    while name != _PNG_END:
        name = data[at + 4:at + 8]
        at += _CHUNK + int.from_bytes(data[at:at + 4], 'big')
        if at > len(data):
            raise ValueError('a PNG image that is cut short')


def _bmp_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of a BMP image, whose rows may go up."""
    if data[:2] != _BMP or int.from_bytes(data[14:18], 'little') < _BMP_HEADER or len(data) < _BMP_HEADER:
        raise ValueError(f'{NOT_READABLE}: expected JPEG, PNG or BMP')
    place = data[_BMP_SIZE]
    return tuple(abs(int.from_bytes(side, 'little', signed=True)) for side in (place[:4], place[4:]))
