"""The measurement of the robustness curves, with a small network on a small scene."""

import json

import cv2
import pytest
import robustness
from robustness import FIGURES, PICTURES, Setting
from support.configs import SIZE, TINY, with_thresholds, write_config

from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.eval.nuscenes import evaluate
from cooptrack_ros.eval.report import headline
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.features import transmission

LIMIT = 3
GOOD, LATE = Setting('latency', 'geometry', 0), Setting('latency', 'geometry', 200, {'latency_ms': 200.0})
ALONE = Setting('latency', 'vehicle alone', 0, mode='none')


@pytest.fixture(scope='module')
def scene(scenes):
    """Give a scene."""
    return scenes.scene(700, 1.5, SIZE)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """Give a folder with a small random network that tracks everything."""
    folder = tmp_path_factory.mktemp('robustness')
    write_config(folder, with_thresholds(TINY, 0.0))
    return folder


@pytest.fixture
def measured(place, scene, tmp_path, monkeypatch):
    """Give what measures some settings and returns the rows of the file and the lines of those that were missing."""
    done = []
    measure = robustness.measure
    monkeypatch.setattr(robustness, 'measure', lambda e, setting: done.append(setting.line) or measure(e, setting))

    def run(*settings, limit=LIMIT):
        monkeypatch.setattr(robustness, 'settings_of', lambda panel, has_flow: list(settings))
        done.clear()
        assert robustness.main(['--weights', f'random:{place}/config.yaml', '--data', str(scene), '--json',
                                str(tmp_path / 'r.json'), '--pictures', str(tmp_path), '--only', 'latency',
                                '--limit', str(limit)]) == 0
        return json.loads((tmp_path / 'r.json').read_text())['rows'], list(done)
    return run


def figures(row):
    """Return a row without what depends on the machine."""
    return {k: v for k, v in row.items() if k != 'minutes'}


def test_an_interrupted_measurement_goes_on_and_gives_the_same_figures(measured, tmp_path):
    first, done = measured(GOOD)
    assert done == ['geometry'] and list(first) == [GOOD.key]
    both, done = measured(GOOD, LATE, ALONE)
    assert done == ['geometry', 'vehicle alone'] and both[GOOD.key] == first[GOOD.key]
    (tmp_path / 'r.json').unlink()
    anew, done = measured(GOOD, LATE, ALONE)
    assert len(done) == 3
    assert {k: figures(r) for k, r in anew.items()} == {k: figures(r) for k, r in both.items()}
    row = both[LATE.key]
    assert row['frames'] == LIMIT and row['channel'] == {'latency_ms': 200.0} and set(FIGURES) <= set(row)
    assert both[ALONE.key]['instances_per_frame'] == 0 < both[GOOD.key]['instances_per_frame']
    image = cv2.imread(str(tmp_path / PICTURES['latency']))
    assert image is not None and image.std() > 1


def test_other_frames_are_measured_anew(measured):
    measured(GOOD)
    rows, done = measured(GOOD, limit=2)
    assert done == ['geometry'] and rows[GOOD.key]['frames'] == 2


def test_a_good_link_gives_the_figures_of_the_plain_evaluation(measured, place, scene):
    rows, _ = measured(GOOD, ALONE)
    package = open_model(f'random:{place}/config.yaml')
    plain = Evaluation(open_datasets([scene]), package, Selection(limit=LIMIT),
                       transmission('float16', True, 900, package.sender().complete))
    for setting in (GOOD, ALONE):
        expected = headline(evaluate(plain.run(setting.mode)[0]))
        assert {k: rows[setting.key][k] for k in FIGURES} == {k: expected[k] for k in FIGURES}


def test_settings_of_all_panels_have_names_of_their_own():
    for panel in PICTURES:
        points = [(s.panel, s.line, s.x) for s in robustness.settings_of(panel, True)]
        assert len(points) == len(set(points)) > 10
