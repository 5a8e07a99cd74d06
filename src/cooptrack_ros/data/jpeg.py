"""Facts about JPEG data that do not need decoding."""

from __future__ import annotations

_START = b'\xff\xd8'
_NO_PAYLOAD = {0x01, *range(0xD0, 0xD9)}
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_size(data: bytes) -> tuple[int, int]:
    """
    Return (width, height) of a JPEG picture.

    :raises ValueError: if the data is no JPEG picture.
    """
    if data[:2] != _START:
        raise ValueError('not a JPEG picture')
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF or marker in _NO_PAYLOAD:
            # Fill bytes and markers without a length.
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(data[position + i:position + i + 2], 'big') for i in (5, 7))
            return width, height
        position += 2 + int.from_bytes(data[position + 2:position + 4], 'big')
    raise ValueError('a JPEG picture without frame header')
