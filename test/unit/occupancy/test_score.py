"""Figures of occupancy tracking equal the golden numbers, and examples worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from cooptrack_ros.occupancy.score import OccupancyScore
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.taxonomy import GOLDEN, V2X, read_taxonomy

FOLDER = Path(__file__).resolve().parents[2] / 'data/occ_golden'
EXPECTED = json.loads((FOLDER / 'expected.json').read_text(encoding='utf-8'))


def assert_equal(found, expected, where=''):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_equal(found[key], value, f'{where}/{key}')
    elif expected is None:
        assert found is None, where
    else:
        assert found == pytest.approx(expected, abs=1e-9), where


@pytest.mark.parametrize('name', EXPECTED['cases'])
def test_golden_numbers(name):
    arrays = np.load(FOLDER / f'{name}.npz')
    score = OccupancyScore(read_taxonomy(FOLDER / 'expected.json'))
    for k in range(EXPECTED['cases'][name]['num_sequences']):
        columns = [arrays[f'seq{k}_{part}'] for part in ('gt_sem', 'gt_inst', 'pred_sem', 'pred_inst', 'mask')]
        for truth_class, truth_id, class_, id_, mask in zip(*columns):
            score.add(str(k), Volume(truth_class, truth_id), Volume(class_, id_), mask)
    assert_equal(score.result(), EXPECTED['cases'][name]['expected'])


def test_taxonomy_of_the_golden_numbers_is_the_default():
    assert read_taxonomy(FOLDER / 'expected.json') == GOLDEN


def volume(classes, ids):
    return Volume(np.array(classes).reshape(1, 1, -1), np.array(ids).reshape(1, 1, -1))


def test_identities_of_two_sequences_are_not_the_same():
    score = OccupancyScore(V2X)
    for sequence in ('a', 'b'):
        score.add(sequence, volume([1, 1], [7, 7]), volume([1, 1], [9, 9]))
    strict = score.result()['strict']
    assert strict['num_gt_tubes']['1'] == 2
    assert strict['OccSTQ'] == 1.0


def test_identities_of_64_bits_are_told_apart():
    score = OccupancyScore(V2X)
    score.add('a', volume([1, 1], [2**62, 2**62 + 1]), volume([1, 1], [2**61, 2**61 + 1]))
    assert score.result()['strict']['OccAQ'] == 1.0


def test_no_frame_has_no_figures():
    result = OccupancyScore(V2X).result()
    assert result['strict']['OccSTQ'] is None and result['PQ_min0']['value'] is None


@pytest.mark.parametrize('truth, found, mask, said', [
    (volume([1], [1]), volume([1, 1], [1, 1]), None, 'one shape'),
    (volume([1], [1]), volume([6], [1]), None, '0 to 5'),
    (volume([1], [-1]), volume([1], [1]), None, 'negative'),
    (volume([1], [1]), volume([1], [1]), np.ones((1, 1, 2)), 'one shape')])
def test_impossible_volumes_are_refused(truth, found, mask, said):
    with pytest.raises(ValueError, match=said):
        OccupancyScore(V2X).add('a', truth, found, mask)
