"""The metrics agree with recorded values of nuscenes-devkit."""

import gzip
import json
import sys
from pathlib import Path

import pytest
from support.exchange_cases import result, track, truth

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.report import by_scene, measure, spread, tables

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


def test_a_class_without_ground_truth_has_no_tracking_figures_and_zero_precision():
    data = load('set_a.input')
    data['ground_truth'] = {t: [r for r in rows if r['name'] != 'bicycle'] for t, rows in data['ground_truth'].items()}
    result = evaluate(data)
    assert result['detection']['mean_dist_aps']['bicycle'] == 0
    assert result['tracking']['label_metrics']['amota']['bicycle'] is None
    golden = load('set_a.expected')['headline_car']
    assert list(differences(result['headline_car'], golden)) == []


def test_absent_and_never_found_are_different_words_and_no_numbers():
    data = load('set_a.input')
    data['ground_truth'] = {t: [r for r in rows if r['name'] != 'bicycle'] for t, rows in data['ground_truth'].items()}
    data['predictions'] = {t: [r for r in rows if r['name'] != 'car'] for t, rows in data['predictions'].items()}
    measured = measure(data)
    assert set(measured['per_class']['bicycle'].values()) == {'class absent'}
    car = measured['vehicle']
    unreached = {k for k, v in car.items() if v == 'recall never reached'}
    assert unreached >= {'ATE', 'ASE', 'AOE', 'AVE', 'FP', 'IDS', 'LocA'}
    assert (car['mAP'], car['AMOTA'], car['HOTA'], car['IDF1']) == (0, 0, 0, 0)
    assert 'NaN' not in json.dumps(measured)


@pytest.mark.parametrize(('found', 'of'), [(10, 100), (11, 100)])
def test_errors_begin_where_the_recall_of_the_devkit_does(found, of):
    rows = [truth(*divmod(i, 10), track_id=str(i)) for i in range(of)]
    boxes = [track(*divmod(i, 10), str(i), 0.9 - 1e-3 * i, yaw_deg=20) for i in range(found)]
    figures = measure(result([rows], [boxes]))['vehicle']
    assert figures['ATE'] == ('recall never reached' if found == 10 else 0)


def test_nothing_in_the_world_and_nothing_found_is_no_error():
    data = load('set_b.input')
    for key in ('ground_truth', 'predictions'):
        data[key] = {token: [] for token in data[key]}
    headline = evaluate(data)['headline_car']
    assert headline['AP'] == 0 and headline['AMOTA'] is None


def test_the_spread_is_that_of_the_scenes_measured_on_their_own():
    labelled = [[truth(10, 0, 'A'), truth(20, 0, 'B')]] * 4
    content = result(labelled, [[track(10, 0, '1')]] * 2 + [[track(10, 0, '1'), track(20, 0, '2')]] * 2)
    samples = content['scenes'][0]['samples']
    assert set(spread(by_scene(content, measure(content)))['vehicle'].values()) == {'fewer than two'}
    content['scenes'] = [{'scene': 'a', 'samples': samples[:2]}, {'scene': 'b', 'samples': samples[2:]}]
    found = spread(by_scene(content, measure(content)))
    assert (found['over'], found['number']) == ('scenes', 2)
    assert found['vehicle']['recall'] == pytest.approx(0.5 / 2 ** 0.5) and found['vehicle']['ATE'] == 0
    assert found['vehicle']['AVE_moving'] == 'fewer than two'
    rows = {'x': {**measure(content), 'spread': found}}
    assert [table.row_count for table in tables('', rows)] == [2, 2, 1]


def test_among_equal_scores_the_devkit_takes_one_box_for_all(caplog):
    # Why the oracle's detections have scores of their own.
    labelled = [[truth(10, y, f'{y}', velocity=[3, 0]) for y in range(0, 30, 3)]]

    def ave(scores):
        boxes = [track(10, y, f'{y}', score, velocity=[3 if y == 27 else 1, 0])
                 for y, score in zip(range(0, 30, 3), scores)]
        return measure(result(labelled, [boxes]))['vehicle']['AVE']
    assert ave([0.5] * 10) == 0
    assert "x: all 10 boxes of class 'car' have one score" in caplog.text
    caplog.clear()
    assert ave([0.5 + 0.01 * i for i in (3, 7, 1, 9, 0, 4, 8, 2, 6, 5)]) == pytest.approx(1.8, abs=0.2)
    assert not caplog.records


def test_detections_serve_precision_and_predictions_serve_tracking():
    data = load('set_b.input')
    golden = load('set_b.expected')['headline_car']
    headline = evaluate({**data, 'detections': {token: [] for token in data['predictions']}})['headline_car']
    assert headline['AP'] == 0
    assert headline['AMOTA'] == pytest.approx(golden['AMOTA'], abs=1e-6)


def test_what_the_devkit_needs_but_does_not_declare_is_installed():
    # Without pandas the devkit raises SkipTest on import, which would hide this whole module.
    import motmetrics
    import pandas
    import trackeval
    assert motmetrics.__version__ and pandas.__version__ and trackeval.__version__


@pytest.mark.parametrize('name', ['pandas', 'motmetrics', 'nuscenes', 'trackeval.metrics'])
def test_a_missing_package_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=name):
        measure(load('set_b.input'))


def test_the_command_measures_a_file_and_writes_the_nuscenes_layout(tmp_path):
    source, figures, boxes = (tmp_path / 'new' / n for n in ('input.json', 'figures.json', 'results_nusc.json'))
    source.parent.mkdir()
    source.write_text(json.dumps(load('set_b.input')))
    assert main(['eval-json', str(source), '--json', str(figures), '--nuscenes', str(boxes)]) == 0
    golden = load('set_b.expected')['headline_car']
    assert list(differences(json.loads(figures.read_text())['headline_car'], golden)) == []
    written = json.loads(boxes.read_text())
    assert set(written['results']) == set(load('set_b.input')['predictions'])
    row = next(rows for rows in written['results'].values() if rows)[0]
    assert {'sample_token', 'translation', 'size', 'rotation', 'velocity', 'detection_name', 'detection_score',
            'attribute_name', 'tracking_name', 'tracking_score', 'tracking_id'} == set(row)
