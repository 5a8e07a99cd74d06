"""Files that are complete or not there, whenever the program or the machine stops; and YAML that others wrote."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Return the mapping that a YAML file holds.

    :raises OSError: if it cannot be opened.
    :raises ValueError: if it is not YAML, or no mapping.
    """
    import yaml
    try:
        content = yaml.safe_load(path.read_bytes())
    # The parser trips over impossible dates, numbers and keys, and over very deep nesting.
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f'not YAML: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'expected a mapping, found {type(content).__name__}')
    return content
