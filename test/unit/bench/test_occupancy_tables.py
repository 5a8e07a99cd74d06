"""Tables of occupancy: what stands in them, what is refused, and what an interrupted measurement keeps."""

from __future__ import annotations

import json
from types import SimpleNamespace

import cv2
import occupancy_cooperation
import occupancy_table
import pytest

from cooptrack_ros.eval.occupancy.report import SCHEMA


def figures(value):
    return dict.fromkeys(occupancy_table.FIGURES, value)


def evaluated(path, arms, classes=('car',)):
    """Write a file of an evaluation, :param arms: OccAQ and all else by arm."""
    content = {'schema': SCHEMA, 'grid': 'mini', 'classes': list(classes), 'arms': {
        arm: {'camera': {name: figures(value) for name in ('strict', 'released')}} for arm, value in arms.items()}}
    path.write_text(json.dumps(content))
    return str(path)


def test_files_of_a_kind_are_one_row_with_their_spread(tmp_path, capsys):
    tracker = [evaluated(tmp_path / f'{k}.json', {'tracker': v, 'ab3dmot': v / 2, 'minvis': v / 4, 'boxes': None})
               for k, v in enumerate((0.2, 0.4))]
    both = evaluated(tmp_path / 'c.json', {'cooperative': 0.5})
    assert occupancy_table.main(['--tracker', *tracker, '--cooperative', both]) == 0
    out = capsys.readouterr().out
    assert '| tracker | 0.300 ± 0.141 |' in out and '| ab3dmot, masks of tracker | 0.150 ± 0.071 |' in out
    assert '| boxes, masks of tracker | - | - | - |' in out and '| cooperative | 0.500 | 0.500 | 0.500 |' in out
    assert out.count('OccAQ of tracker: 2.00 times the best baseline') == 2


def test_files_that_do_not_go_together_are_refused(tmp_path, capsys):
    one, other = (evaluated(tmp_path / f'{c}.json', {'cooperative': 0.5}, (c,)) for c in ('car', 'bus'))
    (tmp_path / 'x.json').write_text('{"schema": "other"}')
    for arguments, complaint in ((['--cooperative', one, other], 'of different grids or classes'),
                                 (['--tracker', str(tmp_path / 'x.json')], 'x.json is no result of'),
                                 (['--own', one], 'has no arm own with the mask camera'), ([], 'no files')):
        with pytest.raises(SystemExit):
            occupancy_table.main(arguments)
        assert complaint in capsys.readouterr().err


class StoredBench:
    """Measures nothing."""

    calls: list = []

    def __init__(self, args):
        self.identity = {'schema': 'x', 'model': args.weights, 'grid': 'mini'}

    def measure(self, delay_ms):
        self.calls.append(delay_ms)
        value = 0.1 if delay_ms is None else 0.5 - delay_ms / 2000
        return {mask: {name: figures(value) for name in ('strict', 'released')} for mask in ('unit_only', 'camera')} | {
            'feature_bytes_per_second': 0.0 if delay_ms is None else 48_000.0,
            'voxel_bytes_per_second': 0.0 if delay_ms is None else 10_000.0, 'minutes': 0.0}


def test_what_was_measured_with_the_same_weights_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(occupancy_cooperation, 'Bench', StoredBench)
    monkeypatch.setattr(StoredBench, 'calls', calls := [])
    command = ['--data', str(tmp_path), '--json', str(tmp_path / 'r.json'), '--picture', str(tmp_path / 'r.png')]
    assert occupancy_cooperation.main(command) == 0
    assert calls == [None, 0, 100, 200, 300, 400, 500]
    assert '| 500 ms | 0.25' in capsys.readouterr().out and cv2.imread(str(tmp_path / 'r.png')).std() > 10
    content = json.loads((tmp_path / 'r.json').read_text())
    content['rows'].pop('300 ms')
    (tmp_path / 'r.json').write_text(json.dumps(content))
    assert occupancy_cooperation.main(command) == 0 and calls[7:] == [300]
    assert occupancy_cooperation.main([*command, '--weights', 'other']) == 0 and len(calls) == 15


def test_units_are_run_once_for_every_data_set():
    calls = []
    known = occupancy_cooperation.KnownVoxels(
        SimpleNamespace(voxels=lambda dataset, records: calls.append(dataset.root) or len(calls)))
    data = [SimpleNamespace(root=name) for name in 'aab']
    assert [known.voxels(d, []) for d in data] == [1, 1, 2] and calls == ['a', 'b']


def test_a_model_without_heads_is_named(tmp_path, capsys):
    assert occupancy_cooperation.main(['--weights', 'random:mini', '--data', str(tmp_path), '--json',
                                       str(tmp_path / 'r.json'), '--picture', str(tmp_path / 'r.png')]) == 2
    assert "model 'random:mini' needs occupancy heads" in capsys.readouterr().err
