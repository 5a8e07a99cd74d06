"""Units stand still: a pose that jumps is refused, one that wanders is measured."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.cooperation.sessions import StaleMessage
from cooptrack_ros.cooperation.unit_pose import PoseWatch

STEP_NS = 100_000_000
HERE = make_pose(rotation_z(0.3), np.array([10.0, -5.0, 6.0]))


def moved(metres=0.0, degrees=0.0):
    """Return the pose of a unit that has moved and turned."""
    return HERE @ make_pose(rotation_z(np.deg2rad(degrees)), np.array([metres, 0, 0]))


def check(watch, frame, pose, session=1):
    """Return whether a pose is taken."""
    try:
        watch.check(session, frame * STEP_NS, pose)
    except StaleMessage as error:
        assert error.reason == 'pose_jumped'
        return False
    return True


@pytest.mark.parametrize('other', [moved(degrees=180), moved(degrees=-90), moved(20), moved(1e7)])
def test_a_pose_that_alternates_is_taken_once(other):
    watch = PoseWatch()
    assert [check(watch, frame, other if frame % 2 else HERE) for frame in range(100)] == [True, False] * 50
    assert watch.moved.distance_m == watch.moved.turn_deg == 0


def test_a_unit_that_stays_elsewhere_is_believed_after_two_seconds_and_told():
    watch = PoseWatch()
    assert check(watch, 0, HERE)
    taken = [check(watch, frame, moved(120, 180)) for frame in range(1, 30)]
    assert taken == [False] * 19 + [True] * 10
    assert watch.moved.distance_m == pytest.approx(120) and watch.moved.turn_deg == pytest.approx(180)


def test_a_first_message_that_lies_costs_two_seconds():
    watch = PoseWatch()
    check(watch, 0, moved(500))
    assert [check(watch, frame, HERE) for frame in range(1, 30)].count(True) == 10


@pytest.mark.parametrize(('rate', 'distance_m', 'turn_deg'), [((0.1, 0.0), 2.9, 0), ((0.0, 0.1), 0, 2.9)])
def test_slow_movements_add_up(rate, distance_m, turn_deg):
    watch = PoseWatch()
    assert all(check(watch, frame, moved(*(v * frame / 10 for v in rate))) for frame in range(291))
    assert watch.moved.distance_m == pytest.approx(distance_m, abs=1e-6)
    assert watch.moved.turn_deg == pytest.approx(turn_deg, abs=1e-3)


def test_a_drone_may_fly():
    watch = PoseWatch()
    assert all(check(watch, frame, moved(2.0 * frame, 3.0 * frame)) for frame in range(200))


def test_a_unit_that_is_started_anew_may_stand_elsewhere():
    watch = PoseWatch()
    assert watch.moved is None
    assert check(watch, 0, HERE, 1) and check(watch, 1, moved(300, 90), 2)
    assert watch.moved.distance_m == 0


def test_a_pose_that_is_scaled_a_little_does_not_hide_its_turn():
    watch, scaled = PoseWatch(), np.diag([1.01, 1.01, 1.01, 1.0])
    assert check(watch, 0, HERE @ scaled) and check(watch, 1, moved(degrees=1.5) @ scaled)
    assert watch.moved.turn_deg == pytest.approx(1.5, abs=1e-3)
