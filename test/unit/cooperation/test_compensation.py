"""Instances of late messages are moved to where they are now."""

import dataclasses

import numpy as np
import pytest
from support.small_tracker import CONFIG, MANY, central, make_frame, make_message, make_tracker

from cooptrack_ros.common.types import Boxes, InstanceSet, RoadsideMessage, Side
from cooptrack_ros.cooperation.compensation import compensate, displacement, fitted_velocities

RANGE = CONFIG.infra_range.pc_range


def message(velocity, previous=None, age=0.0):
    """Return a message of one car at (50, 10) sent at 1 s."""
    boxes = Boxes(np.array([[50.0, 10, 0]]), np.array([[4.0, 2, 1.5]]), np.zeros(1), np.array([velocity], float),
                  np.zeros(1, np.int64), np.ones(1), np.zeros(1, np.int64))
    points = (np.array([[50.0, 10, 0]]) - RANGE[:3]) / (np.array(RANGE[3:]) - RANGE[:3])
    feature = np.ones((1, 4), np.float32)
    instances = InstanceSet(boxes, points.astype(np.float32), feature, feature, feature,
                            np.array([previous or [0, 0, 0]], np.float32), np.array([age], np.float32),
                            points.astype(np.float32))
    return RoadsideMessage('u', 1_000_000_000, instances, np.eye(4))


@pytest.mark.parametrize(('age_s', 'moved_m'), [(0.5, 5.0), (-0.04, -0.4), (3.0, 10.0), (-1.0, -0.5)])
def test_boxes_and_points_move_together_within_a_second(age_s, moved_m):
    sent = message([10.0, 0.0])
    now = compensate(sent, 1_000_000_000 + round(age_s * 1e9), RANGE)
    assert now.instances.boxes.centre[0] == pytest.approx([50 + moved_m, 10, 0], abs=1e-5)
    point = now.instances.ref_points[0] * (np.array(RANGE[3:]) - RANGE[:3]) + RANGE[:3]
    assert point == pytest.approx([50 + moved_m, 10, 0], abs=1e-4)
    assert now.stamp_ns == sent.stamp_ns and np.array_equal(now.instances.semantic, sent.instances.semantic)


def test_a_message_of_now_stays_as_it_is():
    sent = message([10.0, 0.0])
    assert compensate(sent, sent.stamp_ns, RANGE) is sent


def driven(x_by_ms, velocity=(0.0, 0.0)):
    """Return the message of a car at (50, 10) that was at x (m) so many ms before."""
    last = message(velocity)

    def before(ms, x):
        boxes = last.instances.boxes.with_(centre=np.array([[x, 10.0, 0]]))
        return dataclasses.replace(last, stamp_ns=last.stamp_ns - ms * 1_000_000,
                                   instances=dataclasses.replace(last.instances, boxes=boxes))
    return dataclasses.replace(last, earlier=tuple(before(ms, x) for ms, x in sorted(x_by_ms.items())[::-1]))


def test_the_way_of_a_track_says_how_fast_it_is_whatever_the_network_says():
    way = {100 * k: 50.0 - k for k in range(1, 11)}
    velocity, seen_s = fitted_velocities(driven(way))
    assert velocity[0] == pytest.approx([10.0, 0.0], abs=0.1) and seen_s[0] == pytest.approx(1.0)
    assert fitted_velocities(driven(way, (4.0, 0.0)))[0][0] == pytest.approx([10.0, 0.0], abs=0.1)


def test_one_wrong_place_among_ten_does_not_throw_an_object_off():
    way = {100 * k: 50.0 - k for k in range(1, 11)}
    assert fitted_velocities(driven({**way, 500: 46.0}))[0][0, 0] == pytest.approx(10.0, abs=0.3)
    assert abs(fitted_velocities(driven({**way, 100: 50.0}))[0][0, 0] - 10.0) < 1.0


def test_what_was_seen_once_has_the_velocity_of_the_network():
    assert fitted_velocities(message([10.0, 0.0]))[0][0] == pytest.approx([10.0, 0.0])
    assert fitted_velocities(message([np.nan, np.nan]))[0][0].tolist() == [0, 0]


def test_without_earlier_messages_the_last_position_counts_a_little():
    known = message([10.0, 0.0], [49.4, 10, 0], 0.1)
    once, _ = fitted_velocities(known)
    assert 8.0 < once[0, 0] < 9.5
    np.testing.assert_allclose(fitted_velocities(driven({100: 49.4}, (10.0, 0.0)))[0], once, atol=1e-4)
    # What earlier messages hold is not given twice.
    both = dataclasses.replace(driven({100: 49.4}), instances=known.instances)
    np.testing.assert_allclose(fitted_velocities(both)[0], once, atol=1e-4)


def test_what_is_slow_stands():
    late_ns = 1_500_000_000
    assert displacement(message([0.5, 0.4]), late_ns)[0].tolist() == [0, 0]
    assert displacement(message([0.9, 0.0]), late_ns)[0] == pytest.approx([0.45, 0])


def test_the_tracker_compensates_if_the_configuration_says_so():
    tracker = make_tracker(Side.ROADSIDE, MANY)
    instances = tracker.step(tracker.initial(), make_frame(0))[1].instances
    moving = dataclasses.replace(instances, boxes=instances.boxes.with_(velocity=np.full((len(instances), 2), 10.0)))
    seen = {}
    for mode in ('none', 'geometry'):
        config = dataclasses.replace(CONFIG, method=dataclasses.replace(CONFIG.method, compensation=mode))
        tracker = make_tracker(Side.COOPERATIVE, MANY, config)
        late = dataclasses.replace(make_message(central(moving, 5), shift_x=-45.0), stamp_ns=-500_000_000)
        tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), [late],
                        observe=lambda name, value, key=mode: seen.__setitem__((key, name), value))
    moved = seen['geometry', 'aligned'].codes[:, :2] - seen['none', 'aligned'].codes[:, :2]
    assert len(moved) == 5 and np.allclose(moved.numpy(), 5.0, atol=1e-3)
