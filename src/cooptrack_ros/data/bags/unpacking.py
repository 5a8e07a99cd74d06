"""What the library for bags unpacks, bounded: chunks, messages and whole files are never larger than they may be."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

from lz4.frame import LZ4FrameDecompressor
from rosbags.rosbag2 import metadata, reader, storage_mcap
from ruamel.yaml import YAML

from ...common.errors import UserError
from ...common.reading import MIB, check_yaml, parse_yaml, read_bounded

_zstd = storage_mcap.zstd
_MAX_METADATA_BYTES = 16 * MIB
"""Our own description names every frame."""
_MAX_UNPACKED_BYTES = 128 * MIB
"""Of one chunk or message; writers close a chunk at a few MiB."""
_MAX_AT_ONCE_BYTES = 512 * MIB
"""Of chunks whose times overlap: the library has them all in memory to put their messages in order."""
_MAX_RATIO, _FREE_BYTES = 200, 16 * MIB
"""How much larger than a file its content may be: images hardly get smaller, black raw ones do."""
_BLOCK = MIB
_COMPUTED = re.compile(r'^CREATE\s+VIRTUAL\b|\bAS\s*\(', re.IGNORECASE)
"""In the words by which a table was made."""


class _PlainYAML(YAML):
    """Reads YAML as the library does, but without aliases."""

    def load(self, stream: Any) -> Any:
        """Return what a text holds; raise a ValueError as ``check_yaml``."""
        check_yaml(stream)
        return super().load(stream)


def bounded_zstd(data: bytes, limit: int = _MAX_UNPACKED_BYTES) -> bytes:
    """
    Return what was compressed.

    :raises ValueError: for more than so many bytes, or data that ends too early.
    """
    decompressor = _zstd.ZstdDecompressor()
    return _whole(decompressor.decompress(data, limit + 1), limit, decompressor.eof)


def _bounded_lz4(data: bytes, limit: int) -> bytes:
    decompressor = LZ4FrameDecompressor()
    return _whole(decompressor.decompress(data, limit + 1), limit, decompressor.eof)


def _whole(unpacked: bytes, limit: int, is_end: bool) -> bytes:
    if len(unpacked) > limit:
        raise ValueError(f'compressed data that becomes more than {limit} bytes')
    if not is_end:
        raise ValueError('compressed data that ends too early')
    return unpacked


def _limit(stated: int) -> int:
    """Return how many bytes a chunk may have: those that its header states, but not more than any has."""
    if stated > _MAX_UNPACKED_BYTES:
        raise ValueError(f'a chunk of {stated} bytes, expected at most {_MAX_UNPACKED_BYTES}')
    return stated


def check_chunks(chunks: Iterable[storage_mcap.ChunkInfo]) -> None:
    """Raise a ValueError for chunks of which too much lies at the same time."""
    ends = [(time, sign * chunk.uncompressed_size) for chunk in chunks
            for time, sign in ((chunk.message_start_time, 1), (chunk.message_end_time + 1, -1))]
    at_once = max(accumulate(size for _, size in sorted(ends)), default=0)
    if at_once > _MAX_AT_ONCE_BYTES:
        raise ValueError(f'chunks with {at_once} bytes of the same time, expected at most {_MAX_AT_ONCE_BYTES}')


def bound_library() -> None:
    """Have the library unpack and parse with limits: what it calls for both is replaced."""
    storage_mcap.DECOMPRESSORS.update({
        'lz4': lambda data, stated: _bounded_lz4(data, _limit(stated)),
        'zstd': lambda data, stated: bounded_zstd(data, _limit(stated))})
    metadata.YAML = reader.YAML = _PlainYAML


def check_folder(path: Path, name: str) -> None:
    """
    Check what the library would read or unpack as a whole: the metadata, and compressed files.

    :param name: of the metadata in the folder.
    :raises UserError: for more than fits.
    """
    try:
        content = parse_yaml(read_bounded(path / name, _MAX_METADATA_BYTES))
        described = content['rosbag2_bagfile_information']
        is_packed = str(described.get('compression_mode', '')).lower() == 'file'
        files = [path / Path(str(file)).name for file in described['relative_file_paths']] if is_packed else []
        for file in filter(Path.is_file, files):
            _check_packed(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, _zstd.ZstdError) as error:
        raise UserError(f'{path} cannot be read as a ROS 2 bag: {path / name} or what it names: {error}') from error


def _check_packed(path: Path) -> None:
    limit, size = path.stat().st_size * _MAX_RATIO + _FREE_BYTES, 0
    with _zstd.open(path, 'rb') as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > limit:
                raise ValueError(f'{path} becomes more than {limit} bytes')


def check_database(path: Path) -> None:
    """
    See that a database holds its messages as they are: views and computed columns can be endless.

    :raises UserError: if it does not.
    """
    try:
        with sqlite3.connect(f'{path.resolve().as_uri()}?immutable=1', uri=True) as connection:
            rows = connection.execute('SELECT type, name, sql FROM sqlite_master').fetchall()
        connection.close()
    except sqlite3.Error as error:
        raise UserError(f'{path} cannot be read as a ROS 2 bag: {error}') from error
    for kind, name, text in rows:
        if kind not in ('table', 'index') or _COMPUTED.search(str(text)):
            raise UserError(f"{path} cannot be read as a ROS 2 bag: its '{name}' is computed, expected tables")
