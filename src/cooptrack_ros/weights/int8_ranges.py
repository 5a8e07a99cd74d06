"""Ranges of activations for ``execution int8``: found with a tracker, and stored beside the weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from ..common.config import ModelConfig
from ..common.errors import UserError
from ..common.files import write_atomically
from ..common.reading import read_json
from ..common.types import Frame, Side
from ..model.fast.calibrate import RangeCalibrator
from ..model.fast.int8 import Ranges
from ..model.network import CoopTrackNetwork
from ..tracking.tracker import AgentTracker


def ranges_file(folder: Path, side: Side) -> Path:
    """Return the path of the ranges of a side."""
    return folder / f'{side.value}.int8.json'


def save_ranges(folder: Path, side: Side, sha256: str, ranges: Ranges, origin: dict[str, Any]) -> Path:
    """
    Write ranges atomically.

    :param sha256: of the weights that they are for; :param origin: where they come from, plain data.
    :returns: the file.
    """
    path = ranges_file(folder, side)
    content = {'weights_sha256': sha256, 'origin': origin, 'ranges': {k: list(ranges[k]) for k in sorted(ranges)}}
    write_atomically(path, json.dumps(content, indent=1) + '\n')
    return path


def load_ranges(folder: Path, side: Side, sha256: str) -> Ranges:
    """
    Return the ranges of a side.

    :raises UserError: if there are none, they cannot be read, or are for other weights than those with this hash.
    """
    path = ranges_file(folder, side)
    remedy = f'make it with `cooptrack weights quantize --weights {folder} --data FOLDER`'
    if not path.is_file():
        raise UserError(f"{path} is missing, which execution 'int8' needs: {remedy}")
    try:
        content = read_json(path)
        made_for = content['weights_sha256']
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in content['ranges'].items()}
        if not all(isfinite(low) and isfinite(high) and low <= high for low, high in ranges.values()):
            raise ValueError('a range must be two finite numbers, the lower one first')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path} holds no activation ranges ({error!r}): {remedy}') from error
    if made_for != sha256:
        raise UserError(f'{path} is for other weights (SHA-256 {made_for}, these have {sha256}): {remedy}')
    return ranges


def activation_ranges(network: CoopTrackNetwork, config: ModelConfig, side: Side,
                      clips: Iterable[Iterable[Frame]]) -> Ranges:
    """
    Return the ranges that occur in clips of successive frames; nothing is received in them.

    :param network: lies on the CPU and stays as it is.
    """
    calibration = RangeCalibrator(network)
    tracker = AgentTracker(calibration.network, config, side)
    for clip in clips:
        state = tracker.initial()
        for frame in clip:
            state, _ = tracker.step(state, frame)
    return calibration.ranges()
