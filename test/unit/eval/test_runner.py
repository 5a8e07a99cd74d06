"""Runs over a small synthetic town: exchange format, oracle, statistics."""

import json

import numpy as np
import pytest

from cooptrack_ros.core.errors import UserError
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.data.synth import generate
from cooptrack_ros.eval.exchange import read_exchange
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.oracle import oracle_result
from cooptrack_ros.eval.report import headline
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.model.store import open_model


@pytest.fixture(scope='module')
def datasets(tmp_path_factory):
    """Return one small town."""
    folder = tmp_path_factory.mktemp('town')
    generate(folder / 'seed_000700', 700, 1.5, size=(160, 90))
    return open_datasets([folder])


def test_the_cooperative_oracle_is_perfect_and_the_vehicle_sees_less(datasets):
    both = headline(evaluate(oracle_result(datasets, 'cooperative')))
    alone = headline(evaluate(oracle_result(datasets, 'vehicle')))
    assert both['mAP'] > 0.99 and both['AMOTA'] > 0.99 and both['ATE'] < 1e-6
    assert alone['FN'] > both['FN']


def test_every_mode_gives_a_valid_result_and_repeats_itself(datasets, tmp_path):
    evaluation = Evaluation(datasets, open_model('random:mini'), limit=3, serialized_size=lambda instances: 100)
    for mode in ('none', 'late', 'late_ab3dmot', 'cooperative', 'zeroed', 'cooperative_alone'):
        result, cost = evaluation.run(mode)
        again, _ = evaluation.run(mode)
        assert json.dumps(result) == json.dumps(again)
        path = tmp_path / f'{mode}.json'
        path.write_text(json.dumps(result))
        assert read_exchange(path)['name'] == f'random:mini {mode}'
        assert cost.frames == 3
        assert (cost.serialized_bytes > 0) == (mode not in ('none', 'cooperative_alone'))


def test_an_unknown_mode_is_named(datasets):
    with pytest.raises(ValueError, match="unknown mode 'early'"):
        Evaluation(datasets, open_model('random:mini')).run('early')


def test_ground_truth_velocities_fit_the_positions(datasets):
    result = oracle_result(datasets, 'cooperative')
    samples = result['scenes'][0]['samples']
    first, last = (result['ground_truth'][samples[i]['token']] for i in (2, 4))
    for row in result['ground_truth'][samples[3]['token']]:
        ends = [[r for r in rows if r['track_id'] == row['track_id']] for rows in (first, last)]
        if all(ends):
            elapsed = (samples[4]['timestamp_us'] - samples[2]['timestamp_us']) / 1e6
            expected = np.subtract(ends[1][0]['translation'], ends[0][0]['translation'])[:2] / elapsed
            assert np.allclose(row['velocity'], expected)


@pytest.mark.parametrize(('change', 'complaint'), [
    (lambda d: d.pop('scenes'), "'scenes' is missing"),
    (lambda d: d.update(format='x'), 'expected an object with format'),
    (lambda d: d['predictions'].popitem(), "'predictions' lacks 1 samples"),
])
def test_a_damaged_result_file_is_refused_with_its_reason(datasets, tmp_path, change, complaint):
    data = oracle_result(datasets, 'vehicle')
    change(data)
    path = tmp_path / 'result.json'
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=complaint):
        read_exchange(path)
