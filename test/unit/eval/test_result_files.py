"""Result files of others: read, or refused before any work with scene, sample, box and field."""

import json
from pathlib import Path

import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.eval.exchange import nuscenes_results
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.result_files import read_exchange

CASES = Path(__file__).parents[2] / 'data' / 'result_cases'
NAN = float('nan')
REFUSED = {
    'ego_nan': r"scene 's', sample 't0': 'ego_translation' is \[nan",
    'null_rows': "'predictions' of scene 's', sample 't2' is missing; expected a list of boxes",
    'repeated_track_in_sample': "'predictions' of scene 's', sample 't0': boxes 0 and 1 have one 'tracking_id', 'a'",
    'same_time': "scene 's': samples 't0' and 't1' have one 'timestamp_us', 1000000; times must grow within a scene",
    'score_negative': "'predictions' of scene 's', sample 't0', box 0: 'score' is -0.0999.*; expected a number, 0 or",
    'zero_size': r"sample 't0', box 0: 'size' is \[0.0, 4.5, 1.5\]; expected width, length and height above 0"}


@pytest.mark.parametrize('name', REFUSED)
def test_a_case_is_refused_with_its_place(name):
    with pytest.raises(UserError, match=REFUSED[name]):
        read_exchange(CASES / f'{name}.json')


@pytest.mark.parametrize('command', ['eval-json', 'render'])
@pytest.mark.parametrize('name', REFUSED)
def test_commands_refuse_it_before_any_work(name, command, tmp_path, capsys):
    out = tmp_path / 'out'
    words = ['-o', str(out)] if command == 'render' else ['--json', str(out / 'a.json')]
    assert main([command, str(CASES / f'{name}.json'), *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(('name', 'found'), [('no_car_class', 'pedestrian'), ('own_class', 'vehicle')])
def test_classes_that_are_there_are_measured_and_car_is_called_absent(name, found, tmp_path, capsys):
    figures = tmp_path / 'figures.json'
    assert main(['eval-json', str(CASES / f'{name}.json'), '--json', str(figures)]) == 0
    printed = capsys.readouterr().out
    assert 'class car absent' in printed and found in printed
    result = json.loads(figures.read_text())
    assert result['headline_car'] == {}
    assert result['tracking']['label_metrics']['amota'][found] == 1
    assert main(['render', str(CASES / f'{name}.json'), '-o', str(tmp_path / 'drawn')]) == 0


def content():
    """Return a result that is right."""
    data = json.loads((CASES / 'zero_size.json').read_text())
    for rows in data['predictions'].values():
        for row in rows:
            row['size'] = [1.8, 4.5, 1.5]
    return data


def written(tmp_path, data, name='result.json'):
    path = tmp_path / name
    path.write_text(json.dumps(data))
    return path


def truth_row(data):
    return data['ground_truth']['t1'][1]


def row(data):
    return data['predictions']['t0'][2]


@pytest.mark.parametrize(('change', 'complaint'), [
    (lambda d: truth_row(d).update(translation=[NAN, 0, 0]), "'ground_truth' of scene 's', sample 't1', box 1: 'trans"),
    (lambda d: truth_row(d).update(size=[1, 0, 1]), "'ground_truth' of scene 's', sample 't1', box 1: 'size'"),
    (lambda d: truth_row(d).update(track_id=None), "box 1: 'track_id' is missing; expected a text or a whole number"),
    (lambda d: truth_row(d).update(track_id=1.5), "box 1: 'track_id' is 1.5"),
    (lambda d: truth_row(d).update(track_id='1'), "boxes 0 and 1 have one 'track_id', '1'"),
    (lambda d: row(d).update(rotation=[0, 0, 0, 0]), "box 2: 'rotation'"),
    (lambda d: row(d).update(rotation=[NAN, 0, 0, 0]), "box 2: 'rotation'"),
    (lambda d: row(d).update(velocity=[float('inf'), 0]), "box 2: 'velocity'"),
    (lambda d: row(d).update(velocity=[NAN, 0.0]), "box 2: 'velocity'"),
    (lambda d: row(d).update(name=None), "box 2: 'name' is missing"),
    (lambda d: row(d).update(name=[]), r"box 2: 'name' is \[\]"),
    (lambda d: row(d).update(score='0.5'), "box 2: 'score' is '0.5'"),
    (lambda d: row(d).update(score=True), "box 2: 'score' is True"),
    (lambda d: truth_row(d).update(seen_by='moon'), "'seen_by' is 'moon'"),
    (lambda d: d.update(class_range=50), "'class_range' is 50"),
    (lambda d: d['class_range'].update(car='50'), "'class_range' of class 'car' is '50'"),
    (lambda d: d['class_range'].update(car=NAN), "'class_range' of class 'car' is nan"),
    (lambda d: d.update(classes=['car', 'car']), "'classes' is"),
    (lambda d: d.update(classes=[]), "'classes' is"),
    (lambda d: d.update(name=None), "'name' is missing"),
    (lambda d: d.update(name='\udce9'), "'name' is '"),
    (lambda d: d.update(ground_truth=[]), r"'ground_truth' is \[\]"),
    (lambda d: d['ground_truth'].update(t0={'1': {}}), "'ground_truth' of scene 's', sample 't0' is {"),
    (lambda d: d['ground_truth'].update(t0=['box']), "sample 't0', box 0 is 'box'"),
    (lambda d: d['predictions'].update(t9=[]), "'predictions' has sample 't9', which is in no scene"),
    (lambda d: d.update(scenes=[[]]), r"'scenes', number 0 is \[\]"),
    (lambda d: d['scenes'].append(d['scenes'][0]), "'scenes', number 1: 'scene' is 's'"),
    (lambda d: d['scenes'][0]['samples'].append('t9'), "scene 's', sample 3 is 't9'"),
    (lambda d: d['scenes'][0]['samples'][1].update(timestamp_us=1.5e6), "sample 't1': 'timestamp_us' is 1500000.0"),
    (lambda d: d['scenes'][0]['samples'][1].update(ego_yaw=NAN), "sample 't1': 'ego_yaw'"),
    (lambda d: d['scenes'][0]['samples'][1].update(token=5), "sample 1: 'token' is 5"),
    (lambda d: d.update(links={'t0': None}), "'links' of sample 't0' is missing"),
    (lambda d: d.update(provenance={'t0': ['ego']}), "'provenance' of sample 't0', row 0 is 'ego'"),
    (lambda d: d.update(published={'t0': [{'tracking_id': '1', 'age_s': -1}]}), "'age_s' must be a number, 0 or above"),
    (lambda d: d.update(published={'t0': [{'tracking_id': '1', 'age_s': 1, 'existence': 0.5}]}), "'flip' must be"),
    (lambda d: d.update(published={'t0': [{'tracking_id': '1', 'age_s': 1, 'alone': 2}]}), "'alone' must be true or"),
    (lambda d: row(d).update(rotation=[1e-200, 0, 0, 0]), "box 2: 'rotation'"),
    (lambda d: row(d).update(translation=[1e300, 0, 0]), "box 2: 'translation'"),
    (lambda d: row(d).update(translation=[10**400, 0, 0]), "box 2: 'translation'"),
    (lambda d: row(d).update(score=1e308), "box 2: 'score'"),
    (lambda d: row(d).update(size=[1e6, 1, 1]), "box 2: 'size'"),
    (lambda d: row(d).update(tracking_id='x' * 100_000), "box 2: 'tracking_id'"),
    (lambda d: row(d).update(tracking_id='a\x1b[2J'), "box 2: 'tracking_id'"),
    (lambda d: d.update(name='x' * 100_000), "'name' is 'x"),
    (lambda d: d.update(classes=[f'c{i}' for i in range(100)]), "'classes' is"),
    (lambda d: d['class_range'].update(car=1e308), "'class_range' of class 'car' is 1e.308"),
    (lambda d: d['predictions'].update(t0=d['predictions']['t0'] * 1000), "sample 't0' is"),
    (lambda d: d['scenes'][0]['samples'][1].update(timestamp_us=10**30), "sample 't1': 'timestamp_us'"),
])
def test_what_is_wrong_is_named_with_its_place(tmp_path, change, complaint):
    data = content()
    change(data)
    with pytest.raises(UserError, match=complaint):
        read_exchange(written(tmp_path, data))


def test_velocities_that_are_nan_are_unknown_and_identities_may_be_numbers(tmp_path):
    data, expected = content(), evaluate(content())
    for rows in data['predictions'].values():
        for number, box in enumerate(rows):
            box['tracking_id'] = number
    row(data)['velocity'] = [NAN, NAN]
    read = read_exchange(written(tmp_path, data))
    assert row(read)['velocity'] is None and row(read)['tracking_id'] == '2'
    assert evaluate(read)['headline_car'] == expected['headline_car']


def test_the_layout_of_nuscenes_is_measured_against_a_truth_file(tmp_path, capsys):
    truth = written(tmp_path, content(), 'truth.json')
    result = written(tmp_path, nuscenes_results(content()), 'results_nusc.json')
    read = read_exchange(result, truth)
    assert evaluate(read)['headline_car'] == evaluate(content())['headline_car']
    assert read['name'] == 'results_nusc'
    assert main(['eval-json', str(result), '--truth', str(truth)]) == 0
    assert main(['render', str(result), '--truth', str(truth), '-o', str(tmp_path / 'drawn')]) == 0
    capsys.readouterr()
    assert main(['eval-json', str(result)]) == 2
    assert 'holds no ground truth: give a file of format' in capsys.readouterr().err
    assert main(['eval-json', str(truth), '--truth', str(truth)]) == 2


def test_what_is_wrong_in_the_layout_of_nuscenes_is_named(tmp_path, caplog):
    truth = written(tmp_path, content(), 'truth.json')
    for change, complaint in (
            (lambda r: r['t0'][1].pop('tracking_id'), "sample 't0', box 1 lacks 'tracking_id'"),
            (lambda r: r['t0'][1].update(size=[0, 1, 1]), "sample 't0', box 1: 'size'"),
            (lambda r: r.update(t0=None), "'results' must be"), (lambda r: r.pop('t0'), "lacks 1 samples, first 't0'")):
        data = nuscenes_results(content())
        change(data['results'])
        with pytest.raises(UserError, match=complaint):
            read_exchange(written(tmp_path, data), truth)
    data = nuscenes_results(content())
    data['results']['t0'][0]['tracking_name'] = 'truck'
    assert len(read_exchange(written(tmp_path, data), truth)['predictions']['t0']) == 3
    assert "1 boxes of class 'truck' are left out" in caplog.text


@pytest.mark.parametrize('text', [
    'Car 0.00 0 -1.57 614.24 181.78 727.31 284.77 1.57 1.73 4.15 1.00 1.75 13.22 -1.62 0.98\n',
    '0 1 Car 0 0 -1.57 614.24 181.78 727.31 284.77 1.57 1.73 4.15 1.00 1.75 13.22 -1.62\n'])
def test_kitti_text_is_refused_with_what_is_expected(tmp_path, text, capsys):
    path = tmp_path / '0000.txt'
    path.write_text(text * 3)
    assert main(['eval-json', str(path)]) == 2
    err = capsys.readouterr().err
    assert 'KITTI text' in err and 'cooptrack-eval-golden/1' in err and 'docs/data.md' in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize('data', [b'{', b'\xff\xfe', b'[' * 100_000, b'[]', b'3', b''])
def test_what_is_no_result_at_all_is_refused_in_one_line(tmp_path, data, capsys):
    path = tmp_path / 'a.json'
    path.write_bytes(data)
    assert main(['eval-json', str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
