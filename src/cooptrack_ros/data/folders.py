"""Data folders given on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.errors import UserError
from .spd import SpdDataset


def open_datasets(folders: Sequence[str | Path]) -> list[tuple[Path, SpdDataset]]:
    """Open data folders; a folder that holds ``seed_*`` data sets stands for all of them."""
    return [(path, SpdDataset(path)) for path in data_folders(folders)]


def data_folders(folders: Sequence[str | Path]) -> list[Path]:
    """Return the data sets meant by folders; raise a UserError if there are none."""
    paths = [path for folder in map(Path, folders) for path in sorted(folder.glob('seed_*')) or [folder]]
    if not paths:
        raise UserError('no data: give at least one folder with --data')
    return paths
