"""Result files: those of the exchange format, and those in the layout of nuScenes together with a truth file."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.files import printable
from ..common.reading import MIB, parse_json, read_bounded
from .exchange_check import FORMAT, OPTIONAL_TABLES, check_exchange

_LOG = logging.getLogger(__name__)
_MAX_BYTES = 512 * MIB
"""Three hundred boxes of as many letters a frame: six thousand frames."""
_START = 100_000
_NAMED, _SHOWN = 5, 80
_KITTI_COLUMNS = (15, 16, 17, 18)
"""Of lines of KITTI labels and results, of detection and of tracking."""


def read_exchange(path: Path, truth: Path | None = None) -> dict[str, Any]:
    """
    Read and check a result file.

    :param truth: file of the exchange format whose scenes and ground truth count, for a result in the layout of
        ``results_nusc.json``, which has none of its own.
    :raises UserError: naming what is missing or wrong.
    """
    content = _read(path)
    is_nuscenes = isinstance(content, dict) and 'results' in content and 'format' not in content
    if is_nuscenes and truth is None:
        raise UserError(f'{path} has the layout of results_nusc.json, which holds no ground truth: give a file of '
                        f"format '{FORMAT}' with the same samples by --truth")
    if truth is not None and not is_nuscenes:
        raise UserError(f'{path} holds its own ground truth; --truth is for files in the layout of results_nusc.json')
    if is_nuscenes:
        content = _with_truth(path, content, read_exchange(truth))
    try:
        check_exchange(content)
    except ValueError as error:
        raise UserError(f'{path}: {error}') from error
    return content


def _read(path: Path) -> Any:
    try:
        data = read_bounded(path, _MAX_BYTES)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read: {getattr(error, "strerror", None) or error}') from error
    try:
        return parse_json(data)
    except ValueError as error:
        if _is_kitti(data[:_START]):
            raise UserError(f"{path} holds lines of KITTI text, without poses and times; expected JSON of format "
                            f"'{FORMAT}' (docs/data.md, Results), or results_nusc.json with --truth") from error
        raise UserError(f"{path} is not JSON: {error}; expected format '{FORMAT}' (docs/data.md, Results)") from error


def _is_kitti(start: bytes) -> bool:
    lines = [line.split() for line in start.decode(errors='replace').splitlines()[:20] if line.strip()]
    return bool(lines) and all(len(line) in _KITTI_COLUMNS and _are_numbers(line[-11:]) for line in lines)


def _are_numbers(words: list[str]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def _with_truth(path: Path, content: dict[str, Any], truth: dict[str, Any]) -> dict[str, Any]:
    """Return the tracks of a nuScenes result with the scenes and the ground truth of another."""
    results = content['results']
    if not isinstance(results, dict) or not all(isinstance(rows, list) for rows in results.values()):
        raise UserError(f"{path}: 'results' must be an object with a list of boxes by sample")
    left_out: Counter[str] = Counter()
    predictions: dict[str, list[dict]] = {}
    for token, rows in results.items():
        predictions[token] = []
        for i, row in enumerate(rows):
            lacking = [k for k in ('tracking_name', 'tracking_id', 'tracking_score')
                       if not isinstance(row, dict) or row.get(k) in (None, '')]
            if lacking:
                raise UserError(f"{path}: 'results' of sample '{token}', box {i} lacks '{lacking[0]}'; "
                                'only results of tracking can be measured')
            if not isinstance(row['tracking_name'], str):
                raise UserError(f"{path}: 'tracking_name' of sample '{token}', box {i} must be a text")
            if row['tracking_name'] not in truth['classes']:
                left_out[row['tracking_name']] += 1
                continue
            predictions[token].append({
                **{k: row.get(k) for k in ('translation', 'size', 'rotation', 'velocity', 'tracking_id')},
                'name': row['tracking_name'], 'score': row['tracking_score']})
    for name, count in left_out.most_common(_NAMED):
        _LOG.warning("%s: %d boxes of class '%s' are left out, which the truth does not have", path, count,
                     name[:_SHOWN])
    if len(left_out) > _NAMED:
        _LOG.warning('%s: so are the boxes of %d more classes', path, len(left_out) - _NAMED)
    kept = {k: v for k, v in truth.items() if k not in OPTIONAL_TABLES}
    return kept | {'name': printable(Path(path.stem)), 'predictions': predictions}
