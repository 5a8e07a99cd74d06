"""Data folders given on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.errors import UserError
from .spd import SpdDataset


def open_datasets(folders: Sequence[str | Path]) -> list[tuple[Path, SpdDataset]]:
    """Open data folders; a folder that holds ``seed_*`` data sets stands for all of them."""
    opened = []
    for folder in map(Path, folders):
        for path in sorted(folder.glob('seed_*')) or [folder]:
            opened.append((path, SpdDataset(path)))
    if not opened:
        raise UserError('no data: give at least one folder with --data')
    return opened
