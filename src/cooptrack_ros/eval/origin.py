"""What a row of figures was made from, so that it can be made again; and whether it came out the same."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..common.figures import is_number
from ..common.types import Side
from ..weights.store import ModelPackage

NOT_VERSIONED = 'not a git checkout'
_TOLERANCE = 1e-6
"""Figures that differ by less are equal: sums of another order."""
ORIGIN = ('version', 'commit', 'uncommitted_changes', 'label_hash', 'models', 'seed', 'options')
_NOT_FIGURES = {*ORIGIN, 'data', 'config', 'seconds_per_frame', 'stage_seconds'}
"""What a row was made from, and what is of the machine."""


def origin_of(exchange: Mapping[str, Any], options: Mapping[str, Any],
              models: Mapping[str, ModelPackage]) -> dict[str, Any]:
    """
    Return what a result was made from, under the names of ``ORIGIN``.

    :param options: all options of the command that matter for the figures, as plain data.
    :param models: packages by their part in it; their sides are told apart by ``ModelPackage.model_id``, their point
        cloud branches, where these matter, by the hash of their file.
    """
    has_clouds = any('lidar' in (options.get(name) or '') for name in ('sensors', 'unit_sensors'))
    return {**code_origin(), 'label_hash': label_hash(exchange),
            'models': {part: {side.value: package.model_id(side) for side in Side if package.has(side)}
                       | ({'lidar': package.card.get('lidar', {}).get('sha256')} if has_clouds else {})
                       for part, package in models.items()},
            'seed': options.get('seed'), 'options': dict(options)}


def label_hash(exchange: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the frames and labelled objects that a result is measured against."""
    content = [exchange['class_range'], exchange['scenes'], exchange['ground_truth']]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_origin() -> dict[str, Any]:
    """Return version, commit and changes of this source."""
    return {'version': __version__, **_commit()}


def _commit() -> dict[str, Any]:
    """Return the commit of this source, and whether files differ from it."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(['git', '-C', str(folder), *words], capture_output=True, text=True, check=True,
                              timeout=20).stdout.strip()
    try:
        # An environment may lie in a repository of somebody else.
        git('ls-files', '--error-unmatch', Path(__file__).name)
        return {'commit': git('rev-parse', 'HEAD'),
                'uncommitted_changes': bool(git('status', '--porcelain', '--untracked-files=no', '--', ':/src'))}
    except (OSError, subprocess.SubprocessError):
        return {'commit': NOT_VERSIONED, 'uncommitted_changes': False}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield name, both values and whether they are equal for each figure of two rows."""
    before, after = (dict(_flat({k: v for k, v in row.items() if k not in _NOT_FIGURES})) for row in (old, new))
    for name in {**before, **after}:
        values = before.get(name, 'missing'), after.get(name, 'missing')
        equal = (abs(values[0] - values[1]) <= _TOLERANCE if all(map(is_number, values)) else values[0] == values[1])
        yield name, *values, equal


def _flat(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f'{name}.{key}' if name else str(key))
    else:
        yield name, value
