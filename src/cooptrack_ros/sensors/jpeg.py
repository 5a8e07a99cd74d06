"""How the bytes of a JPEG image are laid out, and whether they are all there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_START = b'\xff\xd8'
_END = b'\xff\xd9'
_NO_PAYLOAD = {0x01, *range(0xD0, 0xD9)}
_FIRST_MARKER = 0xC0
"""But for the one without payload: decoders skip what comes before, and would read what we skip as a segment."""
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_SCAN, _STOP = 0xDA, 0xD9
_MAX_SCANS = 100
"""Encoders make about ten; each of a few bytes costs as much as decoding the whole image."""
_NEXT_MARKER = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')
_RESTART = re.compile(rb'\xff[\xd0-\xd7]')
_FILLER = bytes(range(1, 251)) * 8
"""Would be pixels, if some were missing."""


class JpegLayout(NamedTuple):
    """
    What the headers say.

    ``scan`` is the place of the last scan, ``end`` that of the end marker, None without one. ``is_complete`` tells
    whether there are scans of all components and, if the image is progressive, of all bits.
    """

    width: int
    height: int
    channels: int
    is_progressive: bool
    is_complete: bool
    scan: int
    end: int | None


def is_jpeg(data: bytes) -> bool:
    """Tell whether data starts like a JPEG image."""
    return data[:2] == _START


def jpeg_size(data: bytes) -> tuple[int, int]:
    """
    Return (width, height) of a JPEG image.

    :raises ValueError: if the data is no JPEG image.
    """
    return _frame_header(data, next((s for m, s in _segments(data) if m in _FRAME_HEADERS), None))[:2]


def jpeg_layout(data: bytes) -> JpegLayout:
    """
    Return what the headers of a JPEG image say.

    :raises ValueError: if the data is no JPEG image, or ends before its pixels begin.
    """
    frame, progressive, end, last_scan = None, False, None, None
    finished: dict[int, set[int]] = {}
    scans = 0
    for marker, start in _segments(data):
        if marker in _FRAME_HEADERS:
            frame, progressive = start, marker in _PROGRESSIVE
        elif marker == _SCAN:
            last_scan = start
            scans += 1
            if scans > _MAX_SCANS:
                raise ValueError(f'a JPEG image of more than {_MAX_SCANS} scans')
            _add_scan(data, start, progressive, finished)
        elif marker == _STOP:
            end = start - 2
    width, height, channels = _frame_header(data, frame)
    if last_scan is None:
        raise ValueError('a JPEG image without pixels')
    whole = len(finished) == channels and all(len(done) == 64 for done in finished.values())
    return JpegLayout(width, height, channels, progressive, whole, last_scan, end)


def with_end(data: bytes, layout: JpegLayout) -> bytes:
    """Return an image with an end marker: decoders refuse those without, though no pixel is missing."""
    return data if layout.end is not None else data.removesuffix(b'\xff') + _END


def with_more_pixels(data: bytes, layout: JpegLayout) -> bytes:
    """
    Return an image with more data behind its last pixel.

    A decoder shows nothing of it, unless pixels are missing: then it takes these.

    :param data: with an end marker.
    """
    end = len(data) - len(_END) if layout.end is None else layout.end
    # Missing may be the rest of a restart interval, or all from the next one on.
    restart = bytes([0xFF, 0xD0 + len(_RESTART.findall(data, layout.scan, end)) % 8])
    return data[:end] + _FILLER + restart + _FILLER + data[end:]


def _frame_header(data: bytes, start: int | None) -> tuple[int, int, int]:
    """Return width, height and number of channels."""
    if start is None or start + 8 > len(data):
        raise ValueError('a JPEG image without frame header')
    height, width = (int.from_bytes(data[start + i:start + i + 2], 'big') for i in (3, 5))
    return width, height, data[start + 7]


def _add_scan(data: bytes, start: int, progressive: bool, finished: dict[int, set[int]]) -> None:
    """Note which coefficients of which components a scan brings to their last bit."""
    components = data[start + 2] if start + 2 < len(data) else 0
    header = data[start + 3:start + 6 + 2 * components]
    if len(header) < 2 * components + 3:
        raise ValueError('a JPEG image that ends in the header of a scan')
    first, last, bits = header[-3:] if progressive else (0, 63, 0)
    for component in header[:2 * components:2]:
        done = finished.setdefault(component, set())
        if not bits & 15:
            done.update(range(first, last + 1))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """
    Yield marker and start of each segment up to the end marker, as far as the data goes.

    :raises ValueError: if the data is no JPEG image.
    """
    if not is_jpeg(data):
        raise ValueError('not a JPEG image')
    position = 2
    while position + 2 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _NO_PAYLOAD:
            # Fill bytes and markers without a length.
            position += 1 if marker == 0xFF else 2
            continue
        if marker < _FIRST_MARKER:
            raise ValueError(f'a JPEG image with a marker that means nothing, {marker:#04x}')
        yield marker, position + 2
        if marker == _STOP:
            return
        position += 2 + int.from_bytes(data[position + 2:position + 4], 'big')
        if marker == _SCAN:
            following = _NEXT_MARKER.search(data, position)
            position = following.start() if following else len(data)
