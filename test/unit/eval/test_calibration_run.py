"""Calibration of a model from the command line: what is run, kept, stored with the model and judged."""

import json
import sys

import numpy as np
import pytest
import torch
from exchange_cases import track, truth

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.types import Provenance, Side
from cooptrack_ros.eval import calibration_run
from cooptrack_ros.eval.kept_results import kept_results, modes_of
from cooptrack_ros.weights.store import open_model, write_side
from cooptrack_ros.weights.uncertainty_file import UNCERTAINTY_NAME


def drawn_result(source, sigma=0.5, scenes=3, tracks=24, stated=None, seed=1):
    """Return a result of scenes of two frames each, in which every track but the last has a car of known error."""
    rng = np.random.default_rng(seed)
    content = {'name': 'drawn', 'format': 'cooptrack-eval-golden/1', 'classes': ['car', 'bicycle', 'pedestrian'],
               'class_range': {'car': 50, 'bicycle': 40, 'pedestrian': 40}, 'scenes': [], 'ground_truth': {},
               'predictions': {}, 'published': {}, 'provenance': {}}
    for scene in range(scenes):
        samples = [{'token': f'{scene}-{i}', 'timestamp_us': 100_000 * i, 'ego_translation': [0, 0, 0]}
                   for i in range(2)]
        content['scenes'].append({'scene': f's{scene}', 'samples': samples})
        for sample in samples:
            token, places = sample['token'], [(8.0 + 12 * (k // 6), 12.0 * (k % 6)) for k in range(tracks)]
            content['ground_truth'][token] = [truth(x, y, f't{k}') for k, (x, y) in enumerate(places[:-1])]
            content['predictions'][token] = [
                track(*(np.array(p) + rng.normal(0, sigma, 2)), str(k), 0.5) for k, p in enumerate(places)]
            content['published'][token] = [{'tracking_id': str(k), 'age_s': 0.1, **(stated or {})}
                                           for k in range(tracks)]
            content['provenance'][token] = [{'tracking_id': str(k), 'provenance': source} for k in range(tracks)]
    return content


@pytest.fixture
def folder(tmp_path):
    """Return a model with files that no network fits."""
    model = tmp_path / 'small'
    for side in (Side.VEHICLE, Side.ROADSIDE):
        write_side(model, MINI, side, {'query_features.weight': torch.ones(2)}, {}, 'none')
    return model


def calibrate(folder, monkeypatch, *more):
    """Run the command on drawn results of the vehicle and the unit."""
    monkeypatch.setattr(calibration_run, 'results_on', lambda package, *args: {
        'none': drawn_result('ego'), 'roadside': drawn_result('roadside', seed=2)})
    return main(['weights', 'calibrate', '--weights', str(folder), '--data', 'val', *more])


def test_a_calibrated_model_states_what_was_fitted_and_says_what_is_missing(folder, monkeypatch, capsys, tmp_path):
    assert 'its card lists nothing of it' in open_model(str(folder)).lacks_uncertainty(Side.VEHICLE)
    assert calibrate(folder, monkeypatch, '--json', str(tmp_path / 'held.json')) == 0
    assert 'in scenes that the fit did not see' in capsys.readouterr().out
    package = open_model(str(folder))
    model = package.uncertainty()
    assert set(model.sources) == {(Side.VEHICLE, Provenance.EGO), (Side.ROADSIDE, Provenance.ROADSIDE)}
    spread = model.of_facts((Side.VEHICLE, Provenance.EGO), np.zeros(1, int), np.array([[20.0, 0.5, 0.1, 0.0, 0.0]]),
                            np.zeros(1), np.zeros(1)).position[0]
    assert np.sqrt(spread[0, 0]) == pytest.approx(0.5, rel=0.25)
    assert package.card['uncertainty']['tracks'] == {'vehicle, ego': 69, 'roadside, roadside': 69}
    assert package.lacks_uncertainty(Side.VEHICLE) == ''
    assert 'for the cooperative side' in package.lacks_uncertainty(Side.COOPERATIVE)
    held = json.loads((tmp_path / 'held.json').read_text())
    assert held['sources']['vehicle, ego']['all']['coverage']['position'] == pytest.approx(0.95, abs=0.01)
    assert package.without_uncertainty().uncertainty() is None
    write_side(folder, MINI, Side.VEHICLE, {'query_features.weight': torch.zeros(2)}, {}, 'none')
    assert 'for other weights' in open_model(str(folder)).lacks_uncertainty(Side.VEHICLE)


def test_verify_looks_at_it_too(folder, monkeypatch, capsys):
    assert calibrate(folder, monkeypatch) == 0
    capsys.readouterr()
    main(['weights', 'verify', str(folder)])
    assert 'small uncertainty: ok, 2 sources' in capsys.readouterr().out
    (folder / UNCERTAINTY_NAME).write_text('{}')
    assert main(['weights', 'verify', str(folder)]) == 1
    assert 'damaged or was replaced' in capsys.readouterr().out


def test_what_cannot_be_calibrated_is_said(folder, monkeypatch, capsys):
    assert main(['weights', 'calibrate', '--weights', 'random:mini', '--data', 'val']) == 2
    assert 'only stored models' in capsys.readouterr().err
    monkeypatch.setattr(calibration_run, 'results_on', lambda *args: {'none': drawn_result('ego', tracks=4)})
    assert main(['weights', 'calibrate', '--weights', str(folder), '--data', 'val']) == 2
    assert 'too few tracks' in capsys.readouterr().err


class Runs:
    """An evaluation that notes what is run."""

    def __init__(self):
        """Start with nothing."""
        self.ran = []

    def run(self, mode):
        """Note a mode of the vehicle."""
        self.ran.append(mode)
        return drawn_result('ego'), type('Cost', (), {'frames': 6, 'seconds': 1.0})

    def run_side(self, side):
        """Note the unit."""
        return self.run(side.value)


def test_a_result_that_is_kept_from_the_same_settings_is_not_run_again(tmp_path):
    evaluation, told = Runs(), []
    for settings in ({'limit': 1}, {'limit': 1}, {'limit': 2}):
        found = kept_results(evaluation, ['none', 'roadside'], tmp_path / 'kept', settings, told.append)
        assert list(found) == ['none', 'roadside'] and found['none']['name'] == 'drawn'
    assert evaluation.ran == ['none', 'roadside'] * 2
    assert [line.split(':')[1].split()[0] for line in told] == ['6', '6', 'kept', 'kept', '6', '6']


def test_a_model_runs_in_the_modes_that_it_has_networks_for(folder):
    assert modes_of(open_model(str(folder))) == ['none', 'late', 'roadside']


def test_the_benchmark_judges_what_results_state(folder, monkeypatch, capsys, tmp_path):
    import reliability
    variance = {'existence': 0.96, 'flip': 0.0, 'heading': 0.01, 'size': [0.01] * 3, 'velocity': [1, 0, 0, 1],
                'position': [0.25, 0, 0, 0, 0.25, 0, 0, 0, 0.01]}
    assert calibrate(folder, monkeypatch) == 0
    monkeypatch.setattr(calibration_run, 'results_on', lambda *args: {
        'none': drawn_result('ego', stated=variance, scenes=12, seed=5)})
    monkeypatch.setattr(sys, 'argv', ['reliability', '--weights', str(folder), '--data', 'test', '--json',
                                      str(tmp_path / 'f.json'), '--picture', str(tmp_path / 'f.png')])
    assert reliability.main() == 0
    parts = json.loads((tmp_path / 'f.json').read_text())['sources']['vehicle, ego']
    assert parts['all']['coverage']['position'] == pytest.approx(0.95, abs=0.02)
    assert parts['all']['exists'] == pytest.approx(23 / 24) and (tmp_path / 'f.png').is_file()
    assert 'regions by source and range hold 90% to 98%' in capsys.readouterr().out
