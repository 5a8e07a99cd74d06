"""One file of many is changed, read, and put back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from .source import Source
from .tree import changed_tree

_TREES = {'.json': json.loads, '.yaml': yaml.safe_load}


def changed_file(path: Path, source: Source) -> bytes:
    """Return other content for a file: JSON or YAML with one place changed, or spoilt bytes."""
    content, parse = path.read_bytes(), _TREES.get(path.suffix)
    if parse is not None and source.below(4):
        # JSON is YAML too.
        return json.dumps(changed_tree(parse(content), source), default=str).encode()
    return source.changed(content) if source.below(8) else source.rest()


def is_accepted(path: Path, source: Source, read: Callable[[], None]) -> bool:
    """Tell whether a file is read after a change, or refused with a documented error; its content comes back."""
    from cooptrack_ros.common.errors import UserError
    good = path.read_bytes()
    path.write_bytes(changed_file(path, source))
    try:
        read()
    except UserError:
        return False
    finally:
        path.write_bytes(good)
    return True
