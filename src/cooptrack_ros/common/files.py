"""Files that are complete or not there, whenever the program or the machine stops."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Give the name of a file to write; its content takes the place of ``path`` when the block ends well.

    Links are followed. A regular file or a new name is replaced as a whole by a file beside it, and what is left of a
    block that was killed is written over by the next one. A device, a pipe or a stream of a process stays what it is:
    the content is written into it.
    """
    if written_into(path):
        with TemporaryDirectory(prefix='cooptrack_') as folder:
            part = Path(folder) / 'content'
            yield part
            with part.open('rb') as content, open(_open_for_more(path), 'wb') as stream:
                shutil.copyfileobj(content, stream)
        return
    target = Path(os.path.realpath(path))
    part = target.with_name(target.name + '.part')
    try:
        yield part
        with part.open('rb') as stream:
            # Otherwise the new name may reach the disk before the content does.
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def written_into(path: Path) -> bool:
    """Tell what must not be replaced by a new file: a device, a pipe, a socket, a stream that a process has open."""
    return (path.exists() and not path.is_file() and not path.is_dir()) or _stream(path) is not None


def _stream(path: Path) -> Path | None:
    """Return the open stream of a process that a name like /dev/stdout leads to."""
    while path.is_symlink():
        folder = os.path.realpath(path.parent)
        if folder.startswith('/proc/'):
            return Path(folder, path.name)
        path = Path(folder, os.readlink(path))
    return None


def _open_for_more(path: Path) -> int:
    """Return a descriptor that goes on after what is there."""
    stream = _stream(path)
    if stream is not None and stream.parent == Path(f'/proc/{os.getpid()}/fd'):
        # Only the same stream knows how far this program has written.
        return os.dup(int(stream.name))
    return os.open(path, os.O_WRONLY | os.O_APPEND)


def printable(path: Path) -> str:
    """Return the name of a file as text that can be drawn and stored: bytes that are no UTF-8 are spelt out."""
    return os.fsencode(path).decode(errors='backslashreplace')


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a whole file, text as UTF-8; bytes of names that are none are spelt out."""
    with replacing(path) as part:
        part.write_bytes(content.encode(errors='backslashreplace') if isinstance(content, str) else content)
