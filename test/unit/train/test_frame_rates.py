"""Frames at 2 Hz: reader, training and evaluation; lives and gaps of tracks follow the rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.configs import TINY, write_config
from support.small_tracker import CONFIG, MANY, make_frame, make_tracker

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import MINI, PRESETS, R50
from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.ab3dmot import DAIR_PLUGIN, KalmanConfig
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.data.rate import frame_rate_hz
from cooptrack_ros.eval.ego import KnownOutputs, make_agent
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.train.clips import ClipStream, training_frames
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.train.roadside_cache import roadside_messages
from cooptrack_ros.weights.store import open_model


@pytest.fixture(scope='module')
def data(scenes):
    """Return a folder with one small scene of 12 frames."""
    return scenes.scene(701, 1.2, (160, 90)).parent


@pytest.mark.parametrize('config', list(PRESETS.values()), ids=lambda c: c.name)
def test_at_ten_hertz_and_more_nothing_changes(config):
    assert config.at_rate(10) is config and config.at_rate(30) is config


@pytest.mark.parametrize(('hz', 'gap_s', 'lives_s'), [(5, 0.5, (0.3, 0.1, 0.3)), (2, 1.0, (0.75, 0.25, 0.75))])
def test_tracks_outlive_as_many_frames_and_one_missing_frame_is_no_gap(hz, gap_s, lives_s):
    at = MINI.at_rate(hz)
    trackers = [at.tracker_of(side) for side in (Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE)]
    assert [t.reset_gap_s for t in trackers] == [gap_s] * 3
    assert tuple(t.max_age_s for t in trackers) == pytest.approx(lives_s)
    assert at.at_rate(hz) == at and replace(at, **{f'tracker_{s.value}': MINI.tracker_of(s) for s in Side}) == MINI


def test_published_models_count_frames_at_every_rate():
    at = R50.at_rate(2)
    assert at.tracker_cooperative == replace(R50.tracker_cooperative, reset_gap_s=1.0)
    assert KalmanConfig().at_rate(10) == KalmanConfig() and DAIR_PLUGIN.at_rate(2).max_age_s == 0
    assert KalmanConfig().at_rate(2).max_age_s == pytest.approx(0.75)


def resets(config, *stamps_ms):
    """Return for each frame of a sequence whether the tracker starts anew."""
    tracker, found = make_tracker(Side.VEHICLE, MANY, config), []
    state = tracker.initial()
    for i, ms in enumerate(stamps_ms):
        state, output = tracker.step(state, replace(make_frame(i), stamp_ns=1_000_000 * ms))
        found.append(output.reset)
    return found


def test_stamps_of_two_hertz_that_shake_are_no_gap():
    assert resets(CONFIG, 0, 503, 997) == [True, True, False]
    assert resets(CONFIG.at_rate(2), 0, 503, 997) == [True, False, False]


def test_late_fusion_follows_too():
    agent = make_agent('late', KnownOutputs(), MINI.at_rate(2), rate_hz=2)
    assert agent._late.config.max_gap_s == 1.0 and agent._late.kalman.max_age_s == pytest.approx(0.75)
    assert make_agent('late', KnownOutputs(), MINI)._late.kalman.max_age_s == KalmanConfig().max_age_s


def test_training_takes_the_frames_that_evaluation_takes(data):
    (_, dataset), = open_datasets([data])
    expected = [r.token for r in Selection(None, hz=2).records(dataset)]
    found = training_frames(dataset, 'cooperative', 2)
    assert [r.token for r in found] == expected and len(found) == 3
    assert frame_rate_hz([[r.stamp_us for r in found]]) == 2
    recipe = replace(RECIPES['mini-cooperative'], hz=2)
    assert ClipStream([(data, dataset)], Side.COOPERATIVE, TINY, recipe).num_frames <= 3
    messages = roadside_messages(dataset, make_tracker(Side.ROADSIDE, MANY, TINY), 2)
    assert list(messages) == [r.infra_token for r in found]


def test_networks_of_an_evaluation_live_at_its_rate(data, monkeypatch):
    package, asked = open_model('random:mini'), []
    monkeypatch.setattr(type(package), 'tracker', lambda self, side, execution, takes_clouds: asked.append(self.config)
                        or make_tracker(side, MANY, CONFIG))
    for hz, gap_s in ((None, 0.5), (2, 1.0)):
        Evaluation(open_datasets([data]), package, Selection(limit=2, hz=hz)).run('late')
        assert {c.tracker_vehicle.reset_gap_s for c in asked} == {gap_s}
        asked.clear()


def test_a_model_that_was_trained_at_a_rate_says_so(data, tmp_path, capsys):
    command = ['train', 'vehicle', '--data', str(data), '--config', str(write_config(tmp_path)), '--recipe',
               'mini-vehicle', '--out', str(tmp_path / 'run'), '--steps', '1', '--threads', '1', '--hz', '2']
    assert main([*command, '--export', str(tmp_path / 'model')]) == 0
    config = open_model(str(tmp_path / 'model')).config
    assert config.tracker_vehicle.reset_gap_s == 1.0
    assert torch.load(tmp_path / 'run' / 'checkpoint.pt', weights_only=True)['config'].count('"hz": 2') == 1


def test_stages_that_learn_from_all_frames_take_no_rate(data, tmp_path, capsys):
    assert main(['train', 'flow', '--data', str(data), '--roadside', 'random:mini', '--out', str(tmp_path / 'run'),
                 '--hz', '2']) == 2
    assert 'is not for the stage flow' in capsys.readouterr().err
