"""The checkpoint of a training: complete or not there, and checked when it is read."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..common.errors import UserError
from ..common.files import replacing
from ..weights.weight_files import check_torch_file


def write_training(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint in place of the one before."""
    # Into a stream: by name the library hides why a write failed.
    with replacing(path) as part, part.open('wb') as stream:
        torch.save(content, stream)


def read_training(path: Path) -> dict[str, Any]:
    """
    Return what was written, after its checksums were compared.

    :raises UserError: if the file is damaged or no checkpoint.
    """
    if path.is_file():
        check_torch_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f'the checksum of its part {damaged} is wrong')
        content = torch.load(path, map_location='cpu', weights_only=True)
        if not isinstance(content, dict) or 'modules' not in content:
            raise ValueError('it holds no training')
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError,
            TypeError) as error:
        raise UserError(f'{path} is damaged or no checkpoint of a training: {error}; restore a copy, or remove it to '
                        'start anew') from error
    return content
