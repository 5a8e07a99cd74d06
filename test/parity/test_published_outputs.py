"""The network gives the published model's outputs, by the code that the nodes run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support import shared

from cooptrack_ros.common.config import R50
from cooptrack_ros.model.ops.deform_attn import PATHS
from cooptrack_ros.parity import fill, fill_check, sequences
from cooptrack_ros.parity.__main__ import main, run_file
from cooptrack_ros.parity.compare import Comparison
from cooptrack_ros.parity.sequences import GoldenSequence

pytestmark = pytest.mark.independent
DATA = Path(__file__).parent / 'data'
FULL_SET = 'reference/parity'
FULL_PATHS = sorted((shared.FOLDER / FULL_SET).glob('s*.npz')) or [Path('none')]
FILES = ['fill_check_seed1', 'modules_seed1', 'stage_seed1', 'sequence_seed1_pseudo_perm_288x512',
         'sequence_seed1_asso', 'losses_seed1']


@pytest.fixture(scope='module', autouse=True)
def drawn_once():
    """Draw the values of each entry once; they depend on the arguments alone."""
    drawn = cache(fill.fill)
    with pytest.MonkeyPatch.context() as patch:
        for module in (fill, fill_check):
            patch.setattr(module, 'fill', lambda *arguments: drawn(*arguments).copy())
        yield


@pytest.mark.timeout(400)
@pytest.mark.parametrize('name', FILES)
def test_every_recorded_array_is_reproduced(name):
    comparison = Comparison()
    assert run_file(DATA / f'{name}.npz', comparison)
    bad = [r for r in comparison.results if r.verdict != 'ok']
    assert comparison.results and not bad, bad[:5]


@pytest.mark.timeout(400)
@pytest.mark.parametrize('name', [name for name in FILES if name.startswith('sequence')])
def test_the_fast_arrangement_reproduces_every_recorded_sequence(name):
    comparison = Comparison()
    assert run_file(DATA / f'{name}.npz', comparison, 'fast')
    bad = [r for r in comparison.results if r.verdict != 'ok']
    assert comparison.results and not bad, bad[:5]


@pytest.mark.parametrize('attention', sorted(PATHS))
def test_every_implementation_of_attention_reproduces_the_stages(attention, capsys):
    assert main([str(DATA), '--only', 'stage', '--attention', attention, '--quiet']) == 0
    assert ' 0 tie, 0 FAIL' in capsys.readouterr().out


@pytest.mark.slow
@shared.needs(FULL_SET)
@pytest.mark.parametrize('path', FULL_PATHS, ids=lambda p: p.stem)
def test_every_recorded_array_of_the_full_set_is_reproduced(path):
    comparison = Comparison()
    assert run_file(path, comparison)
    assert not [r for r in comparison.results if r.verdict == 'FAIL']


@pytest.mark.parametrize(('near', 'verdict'), [(1.0, 'tie'), (0.0, 'FAIL')])
def test_numbers_that_a_near_tie_exchanged_are_a_tie_and_others_fail(near, verdict, monkeypatch):
    monkeypatch.setattr('cooptrack_ros.parity.identities.NEAR_SCORES', near)
    with np.load(DATA / 'sequence_seed1_pseudo_perm_288x512.npz') as stored:
        golden = {k: stored[k] for k in stored.files if k.startswith(('coop/f00', 'coop/f01', 'inf/f00', 'inf/f01'))
                  and not k.startswith('inf/f00/n_next')}
    for key in ('ids', 'next_obj_idxes'):
        for frame in ('f00', 'f01'):
            ids = golden[f'coop/{frame}/{key}']
            one, other = golden['coop/f00/next_obj_idxes'][-2:]
            golden[f'coop/{frame}/{key}'] = np.where(ids == one, other, np.where(ids == other, one, ids))
    comparison = Comparison()
    sequences.check(golden, GoldenSequence(1, 'pseudo', (288, 512), False), R50, comparison, 'reference')
    assert {r.verdict for r in comparison.results if r.verdict != 'ok'} == {verdict}
    assert any('is' in r.note and 'in the recording' in r.note for r in comparison.results) == (verdict == 'tie')


def test_the_command_fails_when_an_array_differs(tmp_path, capsys):
    with np.load(DATA / 'fill_check_seed1.npz') as stored:
        arrays = {k: stored[k] for k in stored.files}
    arrays['veh/sum'] = arrays['veh/sum'] + 1
    np.savez(tmp_path / 'fill_check_seed1.npz', **arrays)
    assert main([str(tmp_path), '--quiet', '--json', str(tmp_path / 'out.json')]) == 1
    printed = capsys.readouterr().out
    assert 'fill_check_seed1/veh/sum' in printed and 'FAIL' in printed
    assert (tmp_path / 'out.json').is_file()


def test_the_command_fails_on_a_folder_without_recordings(tmp_path):
    assert main([str(tmp_path)]) == 1


@pytest.mark.parametrize(('stem', 'expected'), [
    ('sequence_seed1', GoldenSequence(1, 'identity', (544, 960), False)),
    ('sequence_seed23_pseudo_perm_288x512_asso', GoldenSequence(23, 'pseudo', (288, 512), True))])
def test_file_names_tell_how_a_recording_was_made(stem, expected):
    assert GoldenSequence.parse(stem) == expected


def test_an_unknown_file_name_is_refused():
    with pytest.raises(ValueError, match='sequence_x'):
        GoldenSequence.parse('sequence_x')
