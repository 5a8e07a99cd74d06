"""Choices drawn from the bytes of one input."""

from __future__ import annotations

import struct

INTEGERS = (0, 1, 2, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-30, 1e4, -1e6, 1e15, 3.4e38, -3.4e38, float('inf'), float('-inf'),
          float('nan'))
TEXTS = ('', ' ', '0', '-1', '1e999', 'nan', 'map', 'rsu_1', '/', '..', '../../etc', '\x00', 'ä', '\U0001f600',
         'a' * 300)
_DOUBLE = struct.Struct('<d')


class Source:
    """Reads an input from its start; when it is used up everything is zero."""

    def __init__(self, data: bytes):
        """Start at the first byte."""
        self._data, self._position = data, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes, filled up with zeros."""
        part = self._data[self._position:self._position + count]
        self._position += count
        return part.ljust(count, b'\0')

    def rest(self) -> bytes:
        """Return everything that is left."""
        part = self._data[self._position:]
        self._position = len(self._data)
        return part

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1."""
        return int.from_bytes(self.take(1 if limit <= 256 else 4), 'little') % limit

    def integer(self, bits: int) -> int:
        """Return an unsigned number, often one at a limit of some type."""
        kind = self.below(len(INTEGERS) + 4)
        value = INTEGERS[kind] if kind < len(INTEGERS) else int.from_bytes(self.take(bits // 8), 'little')
        return value % 2**bits

    def real(self) -> float:
        """Return a number, often one that is special."""
        kind = self.below(len(FLOATS) + 4)
        return FLOATS[kind] if kind < len(FLOATS) else _DOUBLE.unpack(self.take(8))[0]

    def text(self) -> str:
        """Return a text, often one that is special; never a lone surrogate, which no message can hold."""
        kind = self.below(len(TEXTS) + 4)
        return TEXTS[kind] if kind < len(TEXTS) else self.take(self.below(16)).decode('utf-8', 'replace')

    def changed(self, content: bytes) -> bytes:
        """Return bytes with up to four places cut out, overwritten, repeated or filled."""
        result = bytearray(content)
        for _ in range(1 + self.below(4)):
            at, kind = self.below(len(result) + 1), self.below(5)
            length = self.below(64)
            if kind == 0:
                del result[at:at + length]
            elif kind == 1:
                result[at:at + length] = self.take(length)
            elif kind == 2:
                result[at:at] = result[at:at + length]
            elif kind == 3:
                result[at:at + 8] = self.integer(64).to_bytes(8, 'little')
            else:
                del result[at:]
        return bytes(result)
