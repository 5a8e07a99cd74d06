"""Files that are complete or not there, whenever the program or the machine stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Give the name of a file to write beside ``path``; it takes the place of ``path`` when the block ends well.

    What is left of a block that was killed is written over by the next one.
    """
    part = path.with_name(path.name + '.part')
    try:
        yield part
        with part.open('rb') as stream:
            # Otherwise the new name may reach the disk before the content does.
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a whole file, text as UTF-8."""
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
