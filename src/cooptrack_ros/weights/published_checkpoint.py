"""Checkpoint files of the published code: read without running anything in them, checked, written."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common.config import ModelConfig
from ..common.errors import UserError
from ..common.files import replacing
from ..common.types import Side
from .published_keys import TRACKING_PREFIXES, expected_entries
from .weight_files import check_torch_file
from .wrappers import STATE_KEYS, entries_of, refuse_placeholder, unwrapped

_META_KEYS = ('epoch', 'iter', 'mmcv_version', 'time', 'exp_name', 'seed')
"""What is kept of the notes of the training framework; everything else in a file is ignored."""


@dataclass(frozen=True)
class Checkpoint:
    """
    Entries of a file under their published names, and the notes worth keeping.

    ``unwrapping`` says what was done to get these names, see ``wrappers.unwrapped``.
    """

    path: Path
    state: dict[str, Tensor]
    notes: dict[str, str | int | float]
    unwrapping: tuple[str, ...] = ()


def _harmless() -> list:
    """
    Return what a checkpoint may name besides tensors: numpy scalars and dtypes.

    They occur among the notes and the optimiser state of files of that era, under the module names of NumPy 1 or 2.
    None of them runs code of the file's choosing.
    """
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(c)) for c in '?bBhHiIlLqQefd']
    return [(scalar, 'numpy.core.multiarray.scalar'), (scalar, 'numpy._core.multiarray.scalar'), np.dtype, *kinds]


def read_checkpoint(path: Path) -> Checkpoint:
    """
    Read a ``.pth`` file; only tensors, plain containers and numpy scalars are ever built from it.

    :raises UserError: if it is missing, cut short, no checkpoint, or asks for anything else.
    """
    if not path.is_file():
        raise UserError(f'{path}: no such file')
    refuse_placeholder(path)
    check_torch_file(path)
    try:
        with torch.serialization.safe_globals(_harmless()):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f'{path} was refused, and nothing in it was run: {_reason(error)}') from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f'{path} is not a complete PyTorch checkpoint (cut short or another format?): '
                        f'{first}') from error
    if not isinstance(content, Mapping):
        raise UserError(f'{path} holds a {type(content).__name__}; expected a dictionary with state_dict')
    state, key = entries_of(content)
    if not isinstance(state, Mapping) or not state or not all(
            isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise UserError(f"{path} has no 'state_dict' of named tensors (nor {' or '.join(STATE_KEYS[1:])}); "
                        f'found {some_of(map(str, content))}')
    meta = content.get('meta')
    notes = {k: _plain(meta[k]) for k in _META_KEYS if isinstance(meta, Mapping) and k in meta}
    state, unwrapping = unwrapped(state)
    if key not in ('', STATE_KEYS[0]):
        unwrapping = (f"the entries stand under '{key}'", *unwrapping)
    return Checkpoint(path, state, {k: v for k, v in notes.items() if v is not None}, unwrapping)


def _reason(error: pickle.UnpicklingError) -> str:
    text = str(error)
    for line in text.splitlines():
        if 'WeightsUnpickler error' in line or 'Unsupported' in line:
            return line.split('WeightsUnpickler error:')[-1].strip().split(' was not an allowed')[0]
    return text.splitlines()[0] if text else 'no PyTorch checkpoint'


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value[:200]
    return value if isinstance(value, (int, float)) else None


def some_of(names: Iterable[str], limit: int = 5) -> str:
    """Return the first names of a list, and how many more there are."""
    names = list(names)
    return ', '.join(names[:limit]) + (f' and {len(names) - limit} more' if len(names) > limit else '')


@dataclass(frozen=True)
class EntryReport:
    """How the entries of a file differ from what a network of one side expects."""

    expected: int
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: list[str] = field(default_factory=list)
    mistyped: list[str] = field(default_factory=list)
    not_finite: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tell whether the file fits exactly."""
        return not (self.missing or self.unexpected or self.misshaped or self.mistyped or self.not_finite)

    def text(self) -> str:
        """Return one line per kind of difference."""
        if self.good:
            return f'all {self.expected} entries fit'
        kinds = {'missing': self.missing, 'unexpected': self.unexpected, 'of another shape': self.misshaped,
                 'of another type': self.mistyped, 'with NaN or infinity': self.not_finite}
        lines = [f'{len(names)} {kind}: {some_of(names)}' for kind, names in kinds.items() if names]
        return '\n'.join(lines)


def is_detection_only(state: Mapping[str, Tensor]) -> bool:
    """Tell whether a state lacks everything that tracking adds to detection."""
    return not any(name.startswith(TRACKING_PREFIXES) for name in state)


def check_entries(state: Mapping[str, Tensor], config: ModelConfig, side: Side,
                  detection_only: bool = False) -> EntryReport:
    """Compare names, shapes, types and values of published entries with those of a network."""
    expected = expected_entries(config, side, detection_only)
    both = [name for name in expected if name in state]
    shaped = {name: None for name in both if tuple(state[name].shape) == expected[name]}
    return EntryReport(
        len(expected), sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys()),
        [f'{n} {tuple(state[n].shape)} instead of {expected[n]}' for n in both if n not in shaped],
        [f'{n} {state[n].dtype}' for n in both if state[n].dtype != _dtype(n)],
        # A tensor of any size may stand for one number that is stored once.
        [n for n in shaped if state[n].is_floating_point() and not bool(state[n].isfinite().all())])


def _dtype(name: str) -> torch.dtype:
    return torch.int64 if name.endswith('num_batches_tracked') else torch.float32


def write_checkpoint(path: Path, state: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
    """Write published entries as a ``.pth`` file that the published code loads."""
    # Into a stream: by name the library hides why a write failed.
    with replacing(path) as part, part.open('wb') as stream:
        torch.save({'meta': dict(notes), 'state_dict': OrderedDict(state)}, stream)
