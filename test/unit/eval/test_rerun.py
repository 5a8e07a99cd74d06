"""A row of figures is made again from its JSON alone."""

import json
import subprocess

import pytest

from cooptrack_ros.cli.eval import add_arguments
from cooptrack_ros.cli.eval_options import options_of, restored
from cooptrack_ros.cli.main import main
from cooptrack_ros.eval import origin


@pytest.fixture(scope='module')
def figures(scenes, tmp_path_factory):
    """Give a file of figures of two frames on a link that is not perfect, and where its data is."""
    folder = tmp_path_factory.mktemp('rerun')
    (folder / 'change.yaml').write_text('tracker_vehicle: {score_threshold: 0.1}\n')
    words = ['eval', '--data', str(scenes.scene(700, 1.5, (160, 90))), '--weights', 'random:mini', '--mode', 'late',
             '--limit', '2', '--hz', '5', '--drop-rate', '0.25', '--seed', '3', '--threads', '1', '--errors',
             '--config', str(folder / 'change.yaml'), '--json', str(folder / 'a.json')]
    assert main(words) == 0
    (folder / 'change.yaml').unlink()
    return folder / 'a.json'


def changed(figures, tmp_path, change):
    """Return a copy of the file that was changed."""
    row = json.loads(figures.read_text())
    change(row)
    path = tmp_path / 'changed.json'
    path.write_text(json.dumps(row))
    return path


def test_the_file_alone_gives_the_same_figures(figures, capsys):
    assert main(['eval', '--rerun', str(figures)]) == 0
    lines = capsys.readouterr().out.splitlines()
    compared = [line for line in lines if line.startswith('late ')]
    assert len(compared) > 80 and all(': equal, ' in line for line in compared)
    assert any(line.startswith('late errors.all.kinds.misplaced: equal') for line in compared)
    assert lines[-1] == f'{len(compared)} of {len(compared)} figures are equal, 0 different'


def test_a_figure_that_is_different_is_named_and_so_is_what_made_it(figures, tmp_path, capsys, scenes):
    def change(row):
        row['vehicle']['FN'] += 1
        row['commit'] = 'abc'
        row['data'] = row['options']['data'] = ['/moved']
    path, out = changed(figures, tmp_path, change), tmp_path / 'again.json'
    words = ['--data', str(scenes.scene(700, 1.5, (160, 90))), '--json', str(out)]
    assert main(['eval', '--rerun', str(path), *words]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(':')[0] for line in lines if ': different' in line] == ['late vehicle.FN']
    assert any(line.startswith('late commit: was abc, now ') for line in lines)
    assert lines[-1].endswith('figures are equal, 1 different')
    assert json.loads(out.read_text())['vehicle'] == json.loads(figures.read_text())['vehicle']


@pytest.mark.parametrize(('change', 'said'), [
    (lambda row: row.pop('options'), "does not name the 'mode' and 'options' of its rows"),
    (lambda row: row['options'].update(drop_rate='much'), 'argument --drop-rate: invalid float value'),
    (lambda row: row['options'].update(no_such=1), 'unrecognized arguments: --no-such=1')])
def test_a_file_that_does_not_tell_is_refused_in_one_line(figures, tmp_path, capsys, change, said):
    assert main(['eval', '--rerun', str(changed(figures, tmp_path, change))]) == 2
    error = capsys.readouterr().err
    assert said in error and 'changed.json' in error and len(error.splitlines()) == 1


def test_options_beside_those_of_the_file_and_no_data_are_refused(figures, capsys):
    assert main(['eval', '--rerun', str(figures), '--latency-ms', '100']) == 2
    assert 'leave out --latency-ms' in capsys.readouterr().err
    assert main(['eval', '--mode', 'none']) == 2
    assert '--data is missing' in capsys.readouterr().err


def test_options_survive_being_written_and_read(tmp_path):
    import argparse
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ['--data', 'a', 'b', '--units', 'unit_1', 'unit_2', '--yaw-error-deg=-2.5', '--constant-noise', '--hz', '2',
             '--online-extrinsics', '--max-age-ms', '300', '--mode', 'all']
    args = parser.parse_args(words)
    rows = {mode: {'mode': mode, 'options': options_of(args, mode)} for mode in ('none', 'late')}
    path = tmp_path / 'rows.json'
    path.write_text(json.dumps(rows))
    again, found = restored(parser.parse_args(['--rerun', str(path)]), add_arguments)
    assert list(found) == ['none', 'late']
    assert {k: v for k, v in vars(again).items() if k not in ('rerun', 'mode')} == {
        k: v for k, v in vars(args).items() if k not in ('rerun', 'mode')}


def test_labels_that_change_change_their_hash():
    content = {'class_range': {'car': 50}, 'scenes': [], 'ground_truth': {'a': [{'translation': [1, 2, 3]}]}}
    before = origin.label_hash(content)
    assert before == origin.label_hash(json.loads(json.dumps(content)))
    content['ground_truth']['a'][0]['translation'][0] = 1.001
    assert origin.label_hash(content) != before


def test_the_commit_is_that_of_this_source_or_none(monkeypatch):
    assert origin.origin_of({'class_range': {}, 'scenes': [], 'ground_truth': {}}, {}, {})['commit'] != ''

    def fails(*words, **more):
        raise subprocess.CalledProcessError(1, 'git')
    monkeypatch.setattr(origin.subprocess, 'run', fails)
    assert origin._commit() == {'commit': 'not a git checkout', 'uncommitted_changes': False}
