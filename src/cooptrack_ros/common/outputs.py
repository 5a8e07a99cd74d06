"""Targets that a command writes to: checked before the work; and figures that survive when writing fails after it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .errors import UserError
from .files import write_atomically, written_into

_TRIAL_BYTES = 4096


def check_file(path: Path) -> None:
    """
    See that a file can be written, its folder too; what is there stays, and nothing is left behind.

    :raises UserError: naming the path and the reason.
    """
    if path.is_dir():
        raise UserError(f'{path} is a folder; expected the name of a file to write')
    if written_into(path):
        if not os.access(path, os.W_OK):
            raise UserError(f'{path} cannot be written: permission denied')
        return
    check_folder(Path(os.path.realpath(path)).parent)


def check_folder(path: Path) -> None:
    """
    See that files can be written into a folder that is there, or that it can be made; nothing is left behind.

    :raises UserError: naming the path and the reason.
    """
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not there.is_dir():
        raise UserError(f'{path} cannot be a folder: {there} is a file')
    trial = there / f'.writable.{os.getpid()}'
    try:
        try:
            # A full disk still takes an empty file.
            trial.write_bytes(bytes(_TRIAL_BYTES))
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f'{path} cannot be written to: {error.strerror}') from error


def write_figures(path: Path, figures: Any, indent: int | None = 1) -> None:
    """
    Write what was measured as JSON.

    :raises UserError: if it cannot be written; the figures are printed then, so that the work is not lost.
    """
    text = json.dumps(figures, indent=indent) + '\n'
    # What was printed so far goes before, where both go to one stream.
    sys.stdout.flush()
    try:
        check_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except (OSError, UserError) as error:
        print(text, end='')
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f'{path} cannot be written: {reason}; the figures are printed above') from error
