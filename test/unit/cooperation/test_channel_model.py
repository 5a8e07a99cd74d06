"""What a bad link does to a stream of messages."""

from itertools import groupby

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.cooperation.channel_model import ChannelModel, LinkConfig

FRAME_NS = 100_000_000


def arrivals(count=4000, **settings):
    """Return when the copies of messages arrive that are sent in every frame."""
    config = LinkConfig(**settings)
    link = ChannelModel(config, np.random.default_rng(config.seed))
    return [link.send(i * FRAME_NS) for i in range(count)]


def runs_of_losses(sent):
    """Return the lengths of all rows of lost messages."""
    return [len(list(group)) for lost, group in groupby(sent, key=lambda a: not a) if lost]


def test_a_good_link_delivers_at_once():
    assert arrivals(3) == [(0,), (FRAME_NS,), (2 * FRAME_NS,)]


@pytest.mark.parametrize('burst', [0.0, 2.0, 5.0])
def test_as_much_is_lost_as_asked_for_in_rows_as_long_as_asked_for(burst):
    sent = arrivals(20_000, drop_rate=0.3, burst_length=burst)
    lost, runs = sum(not a for a in sent) / len(sent), runs_of_losses(sent)
    assert lost == pytest.approx(0.3, abs=0.03)
    # One that is lost on its own is followed by another with the probability of loss.
    assert np.mean(runs) == pytest.approx(burst or 1 / 0.7, rel=0.1)


def test_a_seed_repeats_the_link_and_other_settings_share_its_losses():
    plain = arrivals(drop_rate=0.2, seed=3)
    assert plain == arrivals(drop_rate=0.2, seed=3) != arrivals(drop_rate=0.2, seed=4)
    late = arrivals(drop_rate=0.2, seed=3, latency_ms=40.0, duplicate_rate=0.5)
    assert [bool(a) for a in plain] == [bool(a) for a in late]


def test_jitter_reorders_and_stays_within_its_bounds():
    sent = arrivals(500, latency_ms=100.0, jitter_ms=300.0)
    delays = np.array([a[0] - i * FRAME_NS for i, a in enumerate(sent)]) / 1e6
    assert 100 <= delays.min() < 120 and 380 < delays.max() <= 400
    assert any(a[0] > b[0] for a, b in zip(sent, sent[1:], strict=False))


def test_duplicates_come_twice():
    copies = [len(a) for a in arrivals(1000, duplicate_rate=0.25)]
    assert set(copies) == {1, 2} and 200 < copies.count(2) < 300


def test_a_slow_unit_sends_at_its_rate_although_frames_come_unevenly():
    link = ChannelModel(LinkConfig(rate_hz=2.0), np.random.default_rng(0))
    stamps = np.arange(200) * FRAME_NS + np.random.default_rng(1).integers(-20_000_000, 20_000_000, 200)
    passed = [int(t) for t in stamps if link.send(int(t))]
    assert len(passed) == 40
    assert np.diff(passed).min() > 0.35e9 and np.diff(passed).max() < 0.65e9
    assert link.send(0), 'a time that runs back starts anew'


@pytest.mark.parametrize('settings', [
    {'latency_ms': -1}, {'drop_rate': 1.5}, {'jitter_ms': float('nan')}, {'burst_length': 0.5}, {'rate_hz': -2},
    {'drop_rate': 0.9, 'burst_length': 5.0}])
def test_settings_out_of_range_are_refused_by_name(settings):
    with pytest.raises(UserError, match=f'{next(iter(settings))} must be'):
        LinkConfig(**settings)
