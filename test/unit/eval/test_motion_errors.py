"""Errors of heading and velocity: worked examples."""

import pytest
from support.exchange_cases import result, track, truth

from cooptrack_ros.eval.motion_errors import motion_errors
from cooptrack_ros.eval.report import MOTION, motion_row

PLACES = {'A': 10, 'B': 20, 'C': 30, 'D': 40}


def of(labelled, predictions, ego_yaw_deg=(0,)):
    """Return the errors."""
    return motion_errors(result(labelled, predictions, ego_yaw_deg))


def car(name, yaw_deg, velocity=None):
    """Return a labelled car at a place of its own."""
    return truth(PLACES[name], 0, name, yaw_deg=yaw_deg, velocity=velocity)


def found(name, yaw_deg, velocity=None):
    """Return the box that stands for it."""
    return track(PLACES[name], 0.5, name, yaw_deg=yaw_deg, velocity=velocity)


def test_cars_are_told_apart_by_their_heading_relative_to_the_vehicle():
    labelled = [[car('A', 100), car('B', 280), car('C', 180), car('D', -10)]]
    reported = [[found('A', 103), found('B', 290), found('C', 10), found('D', -10)]]
    heading = of(labelled, reported, [100])['heading']
    assert {k: (v['labelled'], v['found']) for k, v in heading.items()} == {
        'all': (4, 4), 'along': (1, 1), 'against': (1, 1), 'across': (2, 2), 'moving_across': (0, 0)}
    assert heading['along']['median_deg'] == pytest.approx(3)
    assert heading['against']['median_deg'] == pytest.approx(10)
    assert heading['across']['mean_deg'] == pytest.approx((170 + 0) / 2)
    assert heading['all']['median_deg'] == pytest.approx((3 + 10) / 2)
    assert heading['moving_across']['median_deg'] == 'none labelled'


def test_an_opposite_heading_is_right_modulo_pi():
    across = of([[car('A', 90), car('B', 90)]], [[found('A', -90), found('B', -80)]])['heading']['across']
    assert across['median_deg'] == pytest.approx(175)
    assert (across['median_mod_pi_deg'], across['mean_mod_pi_deg']) == pytest.approx((5, 5))
    assert across['within_15_deg'] == 0


def test_the_bounds_are_45_degrees():
    heading = of([[car('A', 44), car('B', 46), car('C', 134), car('D', -136)]], [[]])['heading']
    assert [heading[g]['labelled'] for g in ('along', 'across', 'against')] == [1, 2, 1]
    assert heading['across']['median_deg'] == 'none found'


def test_frames_in_which_the_vehicle_turns_are_apart():
    labelled = [[car('A', 0)]] * 4
    reported = [[found('A', yaw)] for yaw in (1, 2, 4, 8)]
    # Per frame of 0.1 s, from the neighbours: 1, 0.5, 30, 59 degrees per second; and across the step of 360 degrees.
    turning = of(labelled, reported, [359.9, 360.0, 0.0, 5.9])['heading_while_turning']
    assert turning['all']['labelled'] == 2
    assert turning['all']['median_deg'] == pytest.approx(6)


def test_a_vehicle_that_stands_or_is_seen_once_does_not_turn():
    turning = of([[car('A', 0)]], [[found('A', 0)]])['heading_while_turning']
    assert turning['all'] == {'labelled': 0, 'found': 0, 'median_deg': 'none labelled', 'mean_deg': 'none labelled',
                              'median_mod_pi_deg': 'none labelled', 'mean_mod_pi_deg': 'none labelled',
                              'within_15_deg': 'none labelled'}


def test_velocities_of_moving_cars_are_apart_from_slow_ones():
    labelled = [[car('A', 90, [0, 4]), car('B', 0, [8, 0]), car('C', 0, [2, 0]), car('D', 0, None)]]
    reported = [[found('A', 90, [0, 1]), found('B', 0, [6, 0]), found('C', 0, [0, 0]), found('D', 0, [1, 1])]]
    velocity = of(labelled, reported)['velocity']
    assert velocity['moving'] == pytest.approx(
        {'labelled': 2, 'found': 2, 'median_mps': 2.5, 'mean_mps': 2.5, 'speed_ratio': (0.25 + 0.75) / 2})
    assert velocity['slow'] == pytest.approx({'labelled': 1, 'found': 1, 'median_mps': 2, 'mean_mps': 2})


def test_a_track_without_a_velocity_cannot_be_judged():
    moving = of([[car('A', 0, [4, 0])]], [[found('A', 0)]])['velocity']['moving']
    assert moving == {'labelled': 1, 'found': 0, 'median_mps': 'none found', 'mean_mps': 'none found',
                      'speed_ratio': 'none found'}


def test_the_track_that_scores_higher_is_the_one_that_is_judged():
    labelled = [[car('A', 0)]]
    reported = [[track(10, 0, '1', 0.5, yaw_deg=0), track(10, 1, '2', 0.6, yaw_deg=30)]]
    assert of(labelled, reported)['heading']['all']['median_deg'] == pytest.approx(30)


def test_no_car_at_all_is_a_word_and_so_is_a_heading_that_the_file_does_not_give():
    errors = of([[truth(10, 0, 'P', name='pedestrian')]], [[]])
    assert errors['heading']['across']['median_deg'] == errors['velocity']['moving']['mean_mps'] == 'class absent'
    errors = motion_errors(result([[car('A', 0)]], [[found('A', 7)]]))
    assert errors['heading']['all']['median_deg'] == pytest.approx(7)
    assert errors['heading']['across']['median_deg'] == 'vehicle heading not given'
    assert errors['heading_while_turning']['all']['median_deg'] == 'vehicle heading not given'


def test_the_printed_row_has_every_column():
    row = motion_row(of([[car('A', 90, [0, 4])]], [[found('A', 60, [0, 1])]]))
    assert tuple(row) == MOTION
    assert row == {'along': 'none labelled', 'against': 'none labelled', 'across': '30.0 / 30.0',
                   'turning': 'none labelled', 'mod pi': '30.0 / 30.0', 'AVE moving': '3.00 / 3.00',
                   'AVE slow': 'none labelled', 'speed ratio': '0.250'}
