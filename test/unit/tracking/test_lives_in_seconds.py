"""A track that is lost is kept for as many seconds at every rate of frames."""


import numpy as np
import pytest
import torch

from cooptrack_ros.common.config import MINI, R50, R50_BETTER, stored_config
from cooptrack_ros.common.method_config import TrackerConfig
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.cooperation.ab3dmot import DAIR_PLUGIN, KalmanConfig, initial_state, step
from cooptrack_ros.cooperation.late_fusion import LateTracker
from cooptrack_ros.tracking.lifecycle import Instances, survive

RATES_HZ = (2, 5, 10)


def kept_s(config, rate_hz, shake_s=0.0):
    """Return how long a track of the network lives on after it was seen last, until the frame in which it ends."""
    points = torch.zeros(1, 3)
    track = Instances.new(points, torch.zeros(1, 4), torch.zeros(1, 4), 0, 1).with_(
        established=torch.tensor([True]), ids=torch.tensor([1]))
    elapsed_s, live = 0.0, True
    for number in range(1000):
        if not live:
            return elapsed_s
        period_s = 1 / rate_hz + shake_s * (-1) ** number
        track = track.with_(previous_age=torch.tensor([period_s]))
        track, lives = survive(track, config)
        elapsed_s, live = elapsed_s + period_s, bool(lives)
    raise AssertionError('lives for ever')


@pytest.mark.parametrize('max_age_s', [0.05, 0.15, 0.25, 1.0])
def test_a_lost_track_is_kept_equally_long_within_one_period(max_age_s):
    config = TrackerConfig(max_age_s=max_age_s)
    for rate_hz in RATES_HZ:
        assert max_age_s < kept_s(config, rate_hz) <= max_age_s + 1 / rate_hz + 1e-9


@pytest.mark.parametrize('shake_s', [0.0, 0.02, -0.02])
@pytest.mark.parametrize('side', ['tracker_vehicle', 'tracker_roadside', 'tracker_cooperative'])
def test_at_ten_hertz_own_models_keep_tracks_as_long_as_published_ones(side, shake_s):
    # The vehicle's own tracks live as long without messages as with them.
    alike = getattr(R50, 'tracker_cooperative' if side == 'tracker_vehicle' else side)
    published = kept_s(alike, 10, shake_s)
    for own in (MINI, R50_BETTER):
        assert getattr(own, side).max_age == alike.max_age
        assert kept_s(getattr(own, side), 10, shake_s) == pytest.approx(published)


def test_published_and_stored_models_count_frames():
    assert all(kept_s(R50.tracker_cooperative, rate) == pytest.approx(3 / rate) for rate in RATES_HZ)
    card = {'method': {}, 'tracker_cooperative': {'max_age': 2}}
    assert kept_s(stored_config(card).tracker_cooperative, 5) == pytest.approx(0.4)


def test_a_track_that_scores_again_begins_anew():
    config = TrackerConfig(max_age_s=0.25)
    track = Instances.new(torch.zeros(1, 3), torch.zeros(1, 4), torch.zeros(1, 4), 0, 1).with_(
        established=torch.tensor([True]), previous_age=torch.tensor([0.2]))
    track, live = survive(track, config)
    assert live.all() and track.missed.tolist() == [200]
    track, live = survive(track.with_(scores=torch.tensor([0.9])), config)
    assert live.all() and track.missed.tolist() == [0]


def cars(*centres):
    """Return cars at places on the ground."""
    n = len(centres)
    return Boxes(np.array([[*c, 0.0] for c in centres]).reshape(n, 3), np.tile([4.4, 1.9, 1.6], (n, 1)), np.zeros(n),
                 np.zeros((n, 2)), np.zeros(n, np.int64), np.full(n, 0.8), np.zeros(n, np.int64))


def late_kept_s(rate_hz):
    """Return how long late fusion shows a car that only a unit saw after its last box."""
    tracker, period_ns = LateTracker(), round(1e9 / rate_hz)
    state, last_ns = tracker.initial(), 0
    for number in range(1000):
        infra = cars((40, 10)) if number < 8 else cars()
        now_ns = number * period_ns
        state, shown = tracker.step(state, cars(), infra, np.full(len(infra), now_ns), np.eye(4), now_ns)
        if number >= 8 and not len(shown):
            return (now_ns - last_ns) / 1e9
        last_ns = now_ns if number < 8 else last_ns
    raise AssertionError('shown for ever')


def test_in_late_fusion_a_lost_track_is_kept_equally_long_within_one_period():
    limit_s = KalmanConfig().max_age_s
    for rate_hz in RATES_HZ:
        assert limit_s < late_kept_s(rate_hz) <= limit_s + 1 / rate_hz + 1e-9
    # What it was at the rate of the data, in frames.
    assert late_kept_s(10) == pytest.approx(0.1 * KalmanConfig().max_age)


@pytest.mark.parametrize('rate_hz', RATES_HZ)
def test_the_plug_in_of_others_counts_frames(rate_hz):
    state, _ = step(initial_state(DAIR_PLUGIN), cars((40, 10)), DAIR_PLUGIN, None)
    frames = 0
    while len(state.track_id):
        state, _ = step(state, cars(), DAIR_PLUGIN, 1 / rate_hz)
        frames += 1
    assert frames == DAIR_PLUGIN.max_age
