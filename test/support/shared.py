"""Recordings that are too large, or not ours to distribute: they lie in a folder outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = 'COOPTRACK_SHARED'
FOLDER = Path(os.environ.get(VARIABLE) or Path(__file__).resolve().parents[2].parent / 'shared')
"""Named by the environment, else beside the repository."""
MISSING = f'not in the folder of {VARIABLE}'


def needs(path: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test unless a file or folder of ``FOLDER`` is there."""
    return pytest.mark.skipif(not (FOLDER / path).exists(), reason=f'{path} is {MISSING}')
