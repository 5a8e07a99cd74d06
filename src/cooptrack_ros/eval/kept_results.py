"""Results of a model in several modes, which are run where they are not kept from an earlier call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..common.files import write_atomically
from ..common.types import Side
from ..weights.store import ModelPackage
from .result_files import read_exchange
from .runner import Evaluation

CALIBRATED = {'none': Side.VEHICLE, 'late': Side.VEHICLE, 'cooperative': Side.COOPERATIVE, 'roadside': Side.ROADSIDE}
"""Modes that show every source of tracks, and the network of each."""


def modes_of(package: ModelPackage) -> list[str]:
    """Return those that a model has the networks for."""
    return [mode for mode, side in CALIBRATED.items() if package.has(side)
            and (mode in ('none', 'roadside') or package.has(Side.ROADSIDE))]


def kept_results(evaluation: Evaluation, modes: Sequence[str], folder: Path | None, settings: Mapping[str, Any],
                 tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """
    Return the result of each mode; what is in the folder already, from the same settings, is not run again.

    :param folder: for result files, None: nothing is kept; :param settings: all that results depend on, plain data.
    :param tell: is called with a line for each result.
    """
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    results = {}
    for mode in modes:
        path = None if folder is None else folder / f'{mode}-{key}.json'
        if path is not None and path.is_file():
            results[mode] = read_exchange(path)
            tell(f'{mode}: kept in {path}')
            continue
        results[mode], cost = evaluation.run_side(Side(mode)) if mode == 'roadside' else evaluation.run(mode)
        tell(f'{mode}: {cost.frames} frames in {cost.seconds:.0f} s')
        if path is not None:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(results[mode]))
    return results
