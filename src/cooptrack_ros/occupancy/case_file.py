"""Files with true and predicted volumes of sequences, in the layout of the golden numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..common.array_files import read_arrays
from ..common.errors import UserError
from ..common.reading import MIB
from .score import OccupancyScore
from .segments import Volume
from .taxonomy import Taxonomy

_PARTS = ('gt_sem', 'gt_inst', 'pred_sem', 'pred_inst')
_MASK = 'mask'
_MAX_BYTES = 4096 * MIB
"""Some hundred frames of the largest grid."""


def measure_case(path: Path, taxonomy: Taxonomy) -> dict[str, Any]:
    """
    Return ``num_sequences``, ``grid`` and the figures of a file: ``expected`` on its masks, ``without_mask`` on all.

    Sequence ``k`` has ``seq{k}_gt_sem``, ``_gt_inst``, ``_pred_sem``, ``_pred_inst`` and ``_mask``, all (T, X, Y, Z).

    :raises UserError: naming the file and what was expected.
    """
    scores = {'expected': OccupancyScore(taxonomy), 'without_mask': OccupancyScore(taxonomy)}
    shapes = set()
    try:
        arrays = read_arrays(path, _MAX_BYTES)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as an npz file: {error}') from error
    sequences = sorted({int(m[1]) for m in map(re.compile(r'seq(\d+)_').match, arrays) if m})
    if not sequences:
        raise UserError(f"{path} has no arrays seq0_gt_sem, ...; it has {', '.join(arrays) or 'none'}")
    for k in sequences:
        columns = _columns(path, k, arrays)
        shapes.add(columns[_MASK].shape[1:])
        _add(path, scores, str(k), columns)
    return {'num_sequences': len(sequences),
            'grid': ', '.join('x'.join(map(str, shape)) for shape in sorted(shapes)),
            **{name: score.result() for name, score in scores.items()}}


def _columns(path: Path, k: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the five arrays of a sequence."""
    columns = {}
    for part in (*_PARTS, _MASK):
        name = f'seq{k}_{part}'
        if name not in arrays:
            raise UserError(f'{path} has no array {name}')
        columns[part] = arrays[name]
        if columns[part].ndim != 4 or columns[part].dtype.kind not in 'uib':
            raise UserError(f'{path}: {name} must hold whole numbers (T, X, Y, Z), '
                            f'not {columns[part].dtype} {columns[part].shape}')
    shapes = {column.shape for column in columns.values()}
    if len(shapes) > 1:
        raise UserError(f'{path}: the arrays of seq{k} must have one shape, not '
                        f"{', '.join(map(str, sorted(shapes)))}")
    return columns


def _add(path: Path, scores: dict[str, OccupancyScore], sequence: str, columns: dict[str, np.ndarray]) -> None:
    for t, mask in enumerate(columns[_MASK]):
        truth_class, truth_id, class_, id_ = (columns[part][t] for part in _PARTS)
        for name, score in scores.items():
            try:
                score.add(sequence, Volume(truth_class, truth_id), Volume(class_, id_),
                          mask if name == 'expected' else None)
            except ValueError as error:
                raise UserError(f'{path}: frame {t} of seq{sequence}: {error}') from error
