"""Tables that belong to the published data set: official split, label corrections, frames unfit for training."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ...common.errors import UserError
from .schema import read_json, require

SPLIT_FILE = 'cooperative-split-data-spd.json'
SPLITS = ('train', 'val', 'test', 'test_A')
BUNDLED = 'bundled'
_LABEL_UPDATE_KEYS = {
    'vehicle-side': 'vehicle_lidar',
    'infrastructure-side': 'infrastructure_virtuallidar',
    'cooperative': 'cooperative',
}
_INVALID_FRAME_KEYS = {'vehicle-side': 'vehicle_only_training', 'cooperative': 'cooperative'}

LabelUpdates = dict[str, dict[str, dict[str, Any]]]
"""side -> frame id -> object token -> None (delete) or [type, track id]."""


@cache
def _bundled(name: str) -> dict[str, Any]:
    packed = resources.files('cooptrack_ros.data').joinpath('tables', f'{name}.json.gz').read_bytes()
    return json.loads(gzip.decompress(packed))


def official_split() -> dict[str, list[str]]:
    """Return the published split: sequence ids of train, val, test and test_A."""
    return _bundled('spd_split')['batch_split']


def folder_split(root: Path) -> dict[str, list[str]]:
    """
    Return the split of a folder: its own split file if there is one, else the published table.

    :raises UserError: if the file of the folder is not a split file.
    """
    path = root / SPLIT_FILE
    if not path.is_file():
        return official_split()
    table = require(read_json(path, dict), 'batch_split', path)
    if not isinstance(table, dict) or not all(isinstance(ids, list) for ids in table.values()):
        raise UserError(f"{path}: 'batch_split' must map split names to lists of sequence ids")
    return {name: [str(sequence) for sequence in table.get(name, [])] for name in SPLITS}


def label_updates(source: str | Path | None) -> LabelUpdates:
    """
    Return corrections of labels by side (method.md 13.10).

    :param source: None for none, ``'bundled'`` for the published table, or a file of the same schema.
    :raises UserError: if the file holds something else.
    """
    if source is None:
        return {}
    table = _bundled('spd_label_updates') if source == BUNDLED else read_json(Path(source), dict)
    updates = {side: table.get(key, {}) for side, key in _LABEL_UPDATE_KEYS.items()}
    if not all(_is_updates(frames) for frames in updates.values()):
        raise UserError(f'{source} must map frame ids to object tokens, and these to null or [type, track id]')
    return updates


def _is_updates(frames: Any) -> bool:
    return isinstance(frames, dict) and all(isinstance(objects, dict) and all(
        update is None or (isinstance(update, list) and len(update) == 2 and all(isinstance(x, str) for x in update))
        for update in objects.values()) for objects in frames.values())


@cache
def invalid_frames(side: str) -> frozenset[str]:
    """Return ids of published vehicle frames without usable annotations; they are not for training."""
    ids = set()
    for run in _bundled('spd_invalid_frames').get(_INVALID_FRAME_KEYS.get(side, ''), []):
        first, _, last = run.partition('-')
        ids.update(f'{i:06d}' for i in range(int(first), int(last or first) + 1))
    return frozenset(ids)
