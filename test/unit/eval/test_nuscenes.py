"""The metrics agree with recorded values of nuscenes-devkit."""

import gzip
import json
from pathlib import Path

import pytest

from cooptrack_ros.eval.nuscenes import evaluate

DATA = Path(__file__).parents[2] / 'data' / 'eval_golden'


def load(name):
    """Return the content of a recorded file."""
    return json.loads(gzip.decompress((DATA / f'{name}.json.gz').read_bytes()))


def differences(ours, golden, path=''):
    """Yield the places where two nested values differ."""
    if isinstance(golden, dict):
        for key, value in golden.items():
            if not isinstance(ours, dict) or key not in ours:
                yield f'{path}/{key} is missing'
            else:
                yield from differences(ours[key], value, f'{path}/{key}')
    elif isinstance(golden, list):
        if len(ours) != len(golden):
            yield f'{path}: {len(ours)} items instead of {len(golden)}'
        for i, (a, b) in enumerate(zip(ours, golden)):
            yield from differences(a, b, f'{path}/{i}')
    elif golden is None or isinstance(golden, str) or ours is None:
        if ours != golden:
            yield f'{path}: {ours} instead of {golden}'
    elif abs(ours - golden) > 1e-6:
        yield f'{path}: {ours} instead of {golden}'


@pytest.mark.parametrize('name', ['set_a', 'set_b'])
def test_every_recorded_value_is_reproduced(name):
    golden = load(f'{name}.expected')
    result = evaluate(load(f'{name}.input'))
    for part in ('detection', 'tracking', 'headline_car'):
        assert list(differences(result[part], golden[part], part))[:10] == []


def test_no_predictions_at_all_give_zero_and_not_an_error():
    data = load('set_a.input')
    data['predictions'] = {token: [] for token in data['predictions']}
    headline = evaluate(data)['headline_car']
    assert headline['AP'] == 0 and headline['AMOTA'] == 0
    assert headline['FN'] == headline['GT']
