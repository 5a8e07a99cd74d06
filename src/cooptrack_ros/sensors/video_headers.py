"""What packets of H.264 and H.265 video say of themselves, read without decoding them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_START = b'\0\0\1'
_MAX_UNITS = 1024
"""Parts of one packet; an image of many slices has a few hundred."""
_MAX_PARAMETERS, _MAX_SLICE = 4096, 64
"""Bytes of a part that are looked at: of parameter sets, and of the head of a slice."""
_SCALED = (100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139)
"""Profiles of H.264 whose parameters say more of colours."""
_CROP = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
"""Columns and rows of one step of cropping, by how colours are sampled."""


class VideoSize(NamedTuple):
    """Columns and rows of the images of a stream, and of what is decoded for them before it is cropped."""

    width: int
    height: int
    coded_width: int
    coded_height: int


class PacketFacts(NamedTuple):
    """
    What is in a packet.

    ``sizes`` are those that it announces; ``lost`` counts the images before it that others are made from and that did
    not come, as far as the packet tells.
    """

    sizes: tuple[VideoSize, ...]
    is_key: bool
    has_image: bool
    lost: int = 0


class H264Headers:
    """Reads the packets of a H.264 stream in their order."""

    def __init__(self) -> None:
        """Know no parameters yet."""
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}
        """By picture parameters."""
        self._reference: int | None = None
        """Number of the last image that others are made from."""

    def read(self, data: bytes) -> PacketFacts:
        """
        Return what is in a packet.

        :raises ValueError: if it cannot be one.
        """
        sizes, image = [], None
        for unit in _units(data):
            kind = unit[0] & 31
            if kind == 7:
                sizes.append(self._take_sequence(_Bits(unit[1:_MAX_PARAMETERS])))
            elif kind == 8:
                bits = _Bits(unit[1:_MAX_SLICE])
                self._sequence_of[bits.number(255)] = bits.number(31)
            elif kind in (1, 2, 5) and image is None:
                # Data partitions (2 to 4) are decoded by nobody, hence no image that could be used.
                image = unit
        if image is None:
            return PacketFacts(tuple(sizes), False, False)
        is_key = image[0] & 31 == 5
        return PacketFacts(tuple(sizes), is_key, True, self._count_lost(image, is_key))

    def _take_sequence(self, bits: _Bits) -> VideoSize:
        profile, name = bits.take(24) >> 16, bits.number(31)
        sampling, has_planes = 1, 0
        if profile in _SCALED:
            sampling = bits.number(3)
            has_planes = bits.take(1) if sampling == 3 else 0
            bits.number(6), bits.number(6), bits.take(1)
            if bits.take(1):
                _skip_scaling(bits, 12 if sampling == 3 else 8)
        digits = bits.number(12) + 4
        order = bits.number(2)
        if order == 0:
            bits.number(12)
        elif order == 1:
            bits.take(1), bits.number(), bits.number()
            for _ in range(bits.number(255)):
                bits.number()
        bits.number(16)
        may_have_gaps = bits.take(1)
        columns, rows, is_progressive = bits.number(2**14) + 1, bits.number(2**14) + 1, bits.take(1)
        if not is_progressive:
            bits.take(1)
        bits.take(1)
        across, down = _CROP[0 if has_planes else sampling]
        size = _cropped(bits, 16 * columns, 16 * rows * (2 - is_progressive), across, down * (2 - is_progressive))
        self._sequences[name] = _Sequence(digits, bool(has_planes), bool(may_have_gaps))
        return size

    def _count_lost(self, image: bytes, is_key: bool) -> int:
        """Return how many images are missing before one, by the numbers of those that others are made from."""
        bits = _Bits(image[1:_MAX_SLICE])
        bits.number(), bits.number(9)
        sequence = self._sequences.get(self._sequence_of.get(bits.number(255), -1))
        before, self._reference = self._reference, None
        if sequence is None:
            return 0
        if sequence.has_planes:
            bits.take(2)
        number = bits.take(sequence.digits)
        is_reference = bool(image[0] >> 5 & 3)
        self._reference = number if is_reference or before is None else before
        if is_key or before is None or sequence.may_have_gaps or number == before:
            return 0
        return (number - before - 1) % (1 << sequence.digits)


class H265Headers:
    """Reads the packets of a H.265 stream; its decoder notices by itself that images are missing."""

    def read(self, data: bytes) -> PacketFacts:
        """
        Return what is in a packet.

        :raises ValueError: if it cannot be one.
        """
        sizes, kinds = [], []
        for unit in _units(data):
            kind = unit[0] >> 1 & 63
            if kind == 33:
                sizes.append(_sequence_size(_Bits(unit[2:_MAX_PARAMETERS])))
            kinds += [kind] if kind < 32 else []
        # From 16 to 23 images need no others.
        return PacketFacts(tuple(sizes), bool(kinds) and 16 <= kinds[0] < 24, bool(kinds))


class _Sequence(NamedTuple):
    """What parameters of H.264 say of the numbers of images."""

    digits: int
    has_planes: bool
    may_have_gaps: bool


class _Bits:
    """Bits of a part of a packet, of which only the beginning may be there."""

    def __init__(self, data: bytes) -> None:
        # A third byte of 3 keeps contents from looking like a start.
        data = data.replace(b'\0\0\3', b'\0\0')
        self._value, self._left = int.from_bytes(data, 'big'), 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        if count > self._left:
            raise ValueError('parameters that end too early')
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def number(self, most: int = 2**32 - 2) -> int:
        """Return the next number of the form that both standards use (Exp-Golomb)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError('parameters with an endless number')
        value = (1 << zeros) - 1 + self.take(zeros)
        if value > most:
            raise ValueError(f'parameters with {value} where at most {most} can be')
        return value


def _units(data: bytes) -> Iterator[bytes]:
    """Yield the parts of a packet, which begin after a mark."""
    at = data.find(_START)
    if at not in (0, 1) or data[:at].strip(b'\0'):
        raise ValueError('no mark of a part (00 00 01) at its beginning; expected Annex B')
    for _ in range(_MAX_UNITS):
        start = at + len(_START)
        at = data.find(_START, start)
        # Only beginnings are looked at.
        unit = data[start:min(len(data) if at < 0 else at, start + _MAX_PARAMETERS)]
        if len(unit) < 2:
            raise ValueError('an empty part')
        yield unit
        if at < 0:
            return
    raise ValueError(f'more than {_MAX_UNITS} parts')


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for i in range(lists):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if i < 6 else 64):
            if following:
                step = bits.number()
                following = (last + (step + 1 >> 1) * (1 if step & 1 else -1)) % 256
            last = following or last


def _sequence_size(bits: _Bits) -> VideoSize:
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in present:
        bits.take(88 * has_profile + 8 * has_level)
    bits.number(15)
    sampling = bits.number(3)
    has_planes = bits.take(1) if sampling == 3 else 0
    return _cropped(bits, bits.number(2**16), bits.number(2**16), *_CROP[0 if has_planes else sampling])


def _cropped(bits: _Bits, columns: int, rows: int, across: int, down: int) -> VideoSize:
    """Return the size when what follows has been cut off; :param across: columns, ``down``: rows of one step."""
    left, right, top, bottom = (bits.number(2**16) for _ in range(4)) if bits.take(1) else (0, 0, 0, 0)
    width, height = columns - across * (left + right), rows - down * (top + bottom)
    if width < 1 or height < 1:
        raise ValueError('parameters of an image without pixels')
    return VideoSize(width, height, columns, rows)
