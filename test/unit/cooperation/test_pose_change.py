"""
Whether the pose of a unit wanders, told from errors as they are.

``test/data/extrinsics/pairs.json`` has what vehicle and unit with the weights ``mini`` saw of the same objects once a
second, in 30 s of five synthetic validation scenes (seeds 10050 to 10054).
"""

import json
from pathlib import Path

import numpy as np
import pytest

from cooptrack_ros.cooperation.extrinsic_error import MAX_DISTANCE_M, MisalignmentEstimator, Pairs, change

SCENES = json.loads((Path(__file__).parents[2] / 'data/extrinsics/pairs.json').read_text())
START_S = 60
SPARSE = 'seed_10054'
"""A vehicle that sees one object at a time cannot tell a wandering pose from a wrong pair."""


def looks(scene, seconds):
    """Yield time and look of a scene that is played again and again."""
    period = SCENES[scene][-1]['seconds'] + 1
    for turn in range(int(seconds / period) + 1):
        for look in SCENES[scene]:
            if turn * period + look['seconds'] < seconds:
                yield turn * period + look['seconds'], look


def watch(scenes, seconds, yaw_deg_s=0.0, shift_m_s=(0.0, 0.0), limit=2.9):
    """
    Return the times at which a change was told, and the estimator with what it said of the last ten seconds.

    From ``START_S`` on what the unit sends turns and moves, up to a limit in degrees and metres.
    """
    estimator, told, offset = MisalignmentEstimator(), [], 0.0
    estimator.said = []
    for scene in scenes:
        for at_s, look in looks(scene, seconds):
            wander_s = max(offset + at_s - START_S, 0.0)
            yaw = np.deg2rad(np.clip(yaw_deg_s * wander_s, -limit, limit))
            sent = np.array(look['sent'])
            sent = sent + np.column_stack([-sent[:, 1], sent[:, 0]]) * yaw
            sent += np.clip(np.array(shift_m_s) * wander_s, -limit, limit)
            known, seen = estimator.estimate('u'), np.array(look['seen'])
            placed = sent if known is None else sent @ known.correction()[:2, :2].T + known.correction()[:2, 3]
            near = np.linalg.norm(placed - seen, axis=1) < MAX_DISTANCE_M
            if near.any():
                estimator._add('u', Pairs(round((offset + at_s) * 1e9), sent[near], seen[near], np.tile(
                    look['ego'], (near.sum(), 1)), np.ones(near.sum())))
                if estimator.now('u') is not None:
                    estimator.said.append((offset + at_s, abs(np.rad2deg(estimator.now('u').yaw_rad)),
                                           np.hypot(*estimator.now('u').shift_m)))
                if estimator.change('u') is not None:
                    told.append(offset + at_s)
        offset += seconds
    return told, estimator


@pytest.mark.parametrize('first', range(5))
def test_ten_minutes_of_honest_units_raise_no_alarm(first):
    """Two minutes of each scene, and of the change to the next one."""
    scenes = list(SCENES)
    told, estimator = watch([scenes[first], scenes[(first + 1) % 5]], 60.0)
    _, degrees, metres = np.array(estimator.said).T
    assert told == [] and degrees.max() < 0.8 and metres.max() < 0.5


@pytest.mark.parametrize(('scene', 'yaw_deg_s'), [('seed_10050', -0.1), ('seed_10052', 0.1)])
def test_a_slow_turn_is_an_error_of_more_than_a_degree_before_it_ends(scene, yaw_deg_s):
    """The mean of a minute is not, even then."""
    _, estimator = watch([scene], START_S + 29, yaw_deg_s=yaw_deg_s)
    assert max(degrees for at_s, degrees, _ in estimator.said if at_s < START_S + 25) > 1.0
    assert all(degrees < 0.8 for at_s, degrees, _ in estimator.said if at_s < START_S + 5)
    assert abs(np.rad2deg(estimator.estimate('u').yaw_rad)) < 1.0


@pytest.mark.parametrize('scene', sorted(set(SCENES) - {SPARSE}))
@pytest.mark.parametrize(('wander', 'within_s'), [
    ({'shift_m_s': (0.1, 0.0)}, 15), ({'shift_m_s': (0.0, -0.1)}, 15), ({'shift_m_s': (0.0, 0.3)}, 6),
    ({'yaw_deg_s': 0.1}, 12)])
def test_a_slow_movement_is_told(scene, wander, within_s):
    told, _ = watch([scene], START_S + within_s, **wander)
    assert told and min(told) >= START_S


def test_the_amount_of_the_last_seconds_is_told():
    told, estimator = watch(['seed_10050'], START_S + 15, shift_m_s=(0.0, 0.2))
    assert told and estimator.change('u').shift_m[1] == pytest.approx(-2.0, abs=1.3)
    assert abs(np.rad2deg(estimator.change('u').yaw_rad)) < 2


def test_few_pairs_say_nothing():
    pairs = [Pairs(round(at * 1e9), np.full((2, 2), 10.0), np.full((2, 2), 10.0 + at), np.zeros((2, 2)), np.ones(2))
             for at in range(6)]
    assert change(pairs) is None
