"""Archives of arrays (``.npz``), of which nothing is unpacked that is larger than it may be."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from .reading import MIB

MAX_UNPACKED = 256 * MIB
"""Of all arrays of a compressed archive; one that is stored as it is holds what it holds."""


def read_arrays(path: Path, limit: int = MAX_UNPACKED) -> dict[str, np.ndarray]:
    """
    Return the arrays of an archive by name; objects of Python in it are refused.

    :param limit: bytes of all arrays together, where they are compressed.

    :raises OSError: if it cannot be opened.
    :raises ValueError: if it is no such archive, or its arrays are larger than the file or than is allowed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path, limit)
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f'no archive of arrays: {error}') from error


def _check(archive: zipfile.ZipFile, path: Path, limit: int) -> None:
    parts = archive.infolist()
    total, is_packed = sum(part.file_size for part in parts), any(p.file_size != p.compress_size for p in parts)
    limit = limit if is_packed else path.stat().st_size
    if total > limit:
        raise ValueError(f'its arrays have {total} bytes, expected at most {limit}')
    for part in parts:
        with archive.open(part) as stream:
            stated = _stated_bytes(stream)
        if stated > part.file_size:
            raise ValueError(f"its array '{part.filename}' would have {stated} bytes, {part.file_size} are there")


def _stated_bytes(stream: IO[bytes]) -> int:
    """Return how large an array is by its header."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    count = 1
    for length in shape:
        # As whole numbers of Python, which do not wrap around.
        count *= int(length)
    return count * dtype.itemsize
