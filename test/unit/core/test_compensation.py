"""Instances of late messages are moved to where they are now."""

import dataclasses

import numpy as np
import pytest
from small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker

from cooptrack_ros.core.compensation import compensate, velocities
from cooptrack_ros.core.types import Boxes, InstanceSet, RoadsideMessage, Side

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


def test_half_of_the_velocity_comes_from_the_last_position():
    assert velocities(message([10.0, 0.0], [49.4, 10, 0], 0.1).instances)[0] == pytest.approx([8.0, 0.0], abs=1e-4)
    assert velocities(message([np.nan, np.nan]).instances)[0].tolist() == [0, 0]


def test_what_is_slow_stands():
    assert velocities(message([0.3, 0.2]).instances)[0].tolist() == [0, 0]


def test_the_tracker_compensates_if_the_configuration_says_so():
    tracker = make_tracker(Side.ROADSIDE, MANY)
    instances = tracker.step(tracker.initial(), make_frame(0))[1].instances
    moving = dataclasses.replace(instances, boxes=instances.boxes.with_(velocity=np.full((len(instances), 2), 10.0)))
    seen = {}
    for mode in ('none', 'geometry'):
        config = dataclasses.replace(CONFIG, behaviour=dataclasses.replace(CONFIG.behaviour, compensation=mode))
        tracker = make_tracker(Side.COOPERATIVE, MANY, config)
        late = dataclasses.replace(make_message(moving[:5], shift_x=-45.0), stamp_ns=-500_000_000)
        tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), [late],
                        observe=lambda name, value, key=mode: seen.__setitem__((key, name), value))
    moved = seen['geometry', 'aligned'].codes[:, :2] - seen['none', 'aligned'].codes[:, :2]
    assert len(moved) and np.allclose(moved.numpy(), 5.0, atol=1e-3)
