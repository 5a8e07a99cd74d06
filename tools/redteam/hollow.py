"""Files that are mostly holes, and streams that are mostly zeros."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

MIB, GIB = 2**20, 2**30
BLOCK = bytes(MIB)


def hole(name: str, folder: Path, size: int = 20 * 10**9, start: bytes = b'') -> Path:
    """Return a file that takes no place on the disk but for its start."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('wb') as stream:
        stream.write(start)
        stream.truncate(size)
    return path


def zeros(size: int) -> Iterator[bytes]:
    """Yield zeros in blocks."""
    for _ in range(size // len(BLOCK)):
        yield BLOCK


def add_zeros(archive: zipfile.ZipFile, name: str, size: int, start: bytes = b'') -> None:
    """Add a part to an archive that begins in a way and goes on with zeros, compressed."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, 'w', force_zip64=True) as part:
        part.write(start)
        for block in zeros(size):
            part.write(block)
