"""The comparison with the vehicle alone, scene by scene."""

import json
from dataclasses import replace

import cv2
import floor
import pytest
from floor import ALONE, SETTINGS, differences, standard_error, table
from support.configs import SIZE, TINY, with_thresholds, write_config


def row(**maps):
    """Return a row whose scenes have these mAP; AMOTA is half of it."""
    return {'mAP': 0.5, 'AMOTA': 0.25,
            'scenes': {k: {'mAP': v, 'AMOTA': v if isinstance(v, str) else v / 2} for k, v in maps.items()}}


def test_only_scenes_that_have_both_figures_are_compared():
    found = differences(row(a=0.5, b=0.2, c='class absent'), row(a=0.4, b='class absent', c=0.3), 'mAP')
    assert found == {'a': pytest.approx(0.1)}


def test_the_table_has_means_errors_and_the_worst_scene():
    rows = {s.key: row(a=0.5, b=0.3) for s in SETTINGS} | {ALONE.key: row(a=0.4, b=0.4)}
    lines = table(rows).splitlines()
    assert len(lines) == 3 + len(SETTINGS) and len({line.count('|') for line in lines}) == 1
    assert '0.000 ± 0.100 | 1 of 2 | -0.100 (b)' in lines[3] and '-0.050 (b)' in lines[3]
    assert standard_error([1.0]) is None


def test_an_additive_network_without_messages_is_the_vehicle_in_every_scene(scenes, tmp_path):
    config = replace(TINY, method=replace(TINY.method, cooperation='additions'))
    path = write_config(tmp_path, with_thresholds(config, 0.0))
    data = scenes.scene(700, 1.5, SIZE)
    assert floor.main(['--weights', f'random:{path}', '--data', str(data), '--json', str(tmp_path / 'f.json'),
                       '--picture', str(tmp_path / 'floor.png'), '--limit', '3']) == 0
    rows = json.loads((tmp_path / 'f.json').read_text())['rows']
    silent = next(s for s in SETTINGS if s.mode == 'no_messages')
    assert len(rows) == len(SETTINGS) + 1 and rows[silent.key]['scenes'] == rows[ALONE.key]['scenes']
    assert cv2.imread(str(tmp_path / 'floor.png')).std() > 1
