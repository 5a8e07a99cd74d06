"""``cooptrack occupancy score`` writes the layout of the golden numbers and names what it measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_score import assert_equal

from cooptrack_ros.cli.main import main

FOLDER = Path(__file__).resolve().parents[2] / 'data/occ_golden'
EXPECTED = json.loads((FOLDER / 'expected.json').read_text(encoding='utf-8'))


def score(*words):
    return main(['occupancy', 'score', *map(str, words)])


def test_cases_are_measured_as_recorded(tmp_path, capsys):
    names = ['hand_idswitch', 'random_b']
    out = tmp_path / 'out.json'
    assert score(*(FOLDER / f'{name}.npz' for name in names), '--json', out) == 0
    written = json.loads(out.read_text())
    assert {k: EXPECTED[k] for k in ('classes', 'thing_classes', 'ignored_classes', 'free_class')} == {
        k: v for k, v in written.items() if k != 'cases'}
    assert list(written['cases']) == names
    for name, case in written['cases'].items():
        assert case['num_sequences'] == EXPECTED['cases'][name]['num_sequences']
        assert_equal(case['expected'], EXPECTED['cases'][name]['expected'])
    shown = ' '.join(capsys.readouterr().out.split())
    for word in ('strict', 'released', 'grid 20x20x4', 'classes general, vehicle', 'mask: camera', 'mask: none',
                 'PQ_star_min10', '0.3749', '0.3551'):
        assert word in shown, word


def test_without_the_mask_all_voxels_are_measured(tmp_path):
    arrays = dict(np.load(FOLDER / 'random_a.npz'))
    shutil.copy(FOLDER / 'random_a.npz', tmp_path / 'masked.npz')
    np.savez(tmp_path / 'all.npz', **arrays | {'seq0_mask': np.ones_like(arrays['seq0_mask'])})
    assert score(tmp_path / 'masked.npz', tmp_path / 'all.npz', '--json', tmp_path / 'out.json') == 0
    cases = json.loads((tmp_path / 'out.json').read_text())['cases']
    assert_equal(cases['masked']['without_mask'], cases['all']['expected'])
    assert cases['masked']['expected'] != cases['masked']['without_mask']


def test_another_taxonomy_comes_from_a_file(tmp_path):
    header = {'classes': ['thing', 'free'], 'thing_classes': [0], 'free_class': 1}
    (tmp_path / 'classes.json').write_text(json.dumps(header))
    volume = np.array([0, 0, 1]).reshape(1, 3, 1, 1)
    np.savez(tmp_path / 'case.npz', **{f'seq0_{part}': volume for part in ('gt_sem', 'pred_sem')},
             **{f'seq0_{part}': 1 - volume for part in ('gt_inst', 'pred_inst')}, seq0_mask=np.ones_like(volume))
    assert score(tmp_path / 'case.npz', '--taxonomy', tmp_path / 'classes.json', '--json', tmp_path / 'o.json') == 0
    written = json.loads((tmp_path / 'o.json').read_text())
    assert written['classes'] == ['thing', 'free']
    assert written['cases']['case']['expected']['strict']['OccSTQ'] == 1.0
    assert written['cases']['case']['expected']['released']['OccAQ'] is None


@pytest.mark.parametrize('words, said', [
    ((FOLDER / 'expected.json',), 'expected.json cannot be read'), ((FOLDER / 'none.npz',), 'none.npz cannot be read'),
    ((FOLDER / 'merge_masks.npz',), 'no arrays seq0_gt_sem'),
    ((FOLDER / 'random_a.npz', FOLDER / '../occ_golden/random_a.npz'), 'names of cases must differ'),
    ((FOLDER / 'random_a.npz', '--taxonomy', FOLDER / 'README.md'), 'README.md cannot be read as JSON')])
def test_bad_input_is_one_line_and_status_2(words, said, capsys):
    assert score(*words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count('\n') == 1
