"""YAML and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cooptrack_ros.common.config import named_config
from cooptrack_ros.data.spd.schema import read_json
from cooptrack_ros.eval.analysis import analyse
from cooptrack_ros.eval.result_files import read_exchange
from cooptrack_ros.sensors.calibration_file import read_calibration
from cooptrack_ros.train.recipe import load_recipe
from cooptrack_ros.viz.analysis_plot import draw_analysis
from cooptrack_ros.weights.store import open_model

from ..bomb import Bomb
from ..hollow import hole

_DEPTH = 24


def merged() -> str:
    """Return a kilobyte of YAML that becomes gigabytes: each mapping merges the one before twice."""
    lines = ['a0: &a0 {k: v}']
    lines += [f'a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}' for i in range(1, _DEPTH)]
    return '\n'.join(lines) + '\n'


def _text(name: str, content: Callable[[], str], folder: Path) -> Path:
    path = folder / name
    path.write_text(content(), encoding='utf-8')
    return path


def _yaml(title: str, read: Callable[[Path], Any], name: str = 'bomb.yaml') -> Bomb:
    return Bomb(title, partial(_text, name, merged), read)


def _lists(count: int) -> str:
    """Return empty lists, which take three bytes each here and eighty in memory."""
    return '[' + '[],' * count + '[]]'


def _result(change: Callable[[dict], None]) -> str:
    token, box = 't', {'translation': [0, 0, 0], 'size': [1, 1, 1], 'rotation': [1, 0, 0, 0], 'velocity': None,
                       'name': 'car', 'score': 0.5, 'tracking_id': '1', 'track_id': '1'}
    content = {'format': 'cooptrack-eval-golden/1', 'name': 'r', 'classes': ['car'], 'class_range': {'car': 50},
               'scenes': [{'scene': 's', 'samples': [
                   {'token': token, 'timestamp_us': 1, 'ego_translation': [0, 0, 0]}]}],
               'ground_truth': {token: [box]}, 'predictions': {token: [dict(box)]}}
    change(content)
    return json.dumps(content)


def _measured(path: Path) -> None:
    result = read_exchange(path)
    draw_analysis(path.with_name('picture.png'), analyse(result), result['name'])


def _result_bomb(title: str, change: Callable[[dict], None]) -> Bomb:
    return Bomb(title, partial(_text, 'result.json', partial(_result, change)), _measured)


BOMBS = {
    'card': _yaml('model card with merge keys, 1 kB', lambda path: open_model(str(path.parent)), 'card.yaml'),
    'recipe': _yaml('recipe with merge keys, 1 kB', lambda path: load_recipe(str(path))),
    'calibration': _yaml('calibration with merge keys, 1 kB', read_calibration),
    'configuration': _yaml('configuration with merge keys, 1 kB', lambda path: named_config(str(path))),
    'lists': Bomb('index of a data set, 60 MB of empty lists',
                  partial(_text, 'data_info.json', partial(_lists, 20_000_000)), lambda path: read_json(path, list)),
    'index_hole': Bomb('index of a data set, a hole of 20 GB', partial(hole, 'data_info.json'),
                       lambda path: read_json(path, list)),
    'result_lists': Bomb('result, 90 MB of empty lists',
                         partial(_text, 'result.json', partial(_lists, 30_000_000)), _measured),
    'result_range': _result_bomb('result whose classes reach 10^12 m',
                                 lambda content: content['class_range'].update(car=1e12)),
    'result_name': _result_bomb('result with a name of 100 kB', lambda c: c.update(name='$x' * 50_000)),
    'result_rotation': _result_bomb('result with a rotation of 10^-200',
                                    lambda c: c['predictions']['t'][0].update(rotation=[1e-200, 0, 0, 0])),
}
