"""A wrong pose of a unit is found from what both sides see, and undone."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.small_tracker import MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.geometry import make_pose, rotation_z, transform_points
from cooptrack_ros.common.types import Boxes, EgoOnlyDetections, FrameOutput, InstanceSet, RoadsideMessage, Side
from cooptrack_ros.cooperation.extrinsic_error import MisalignmentEstimator, Pairs, fit
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.tracking.ego_agent import EgoAgent

FRAME_NS = 100_000_000


def message(points, pose, stamp_ns=0, unit='rsu'):
    """Return a message with standing boxes at points (N, 2)."""
    n = len(points)
    boxes = Boxes(np.column_stack([points, np.zeros(n)]), np.ones((n, 3)), np.zeros(n), np.zeros((n, 2)),
                  np.zeros(n, np.int64), np.ones(n), np.arange(n))
    zeros = np.zeros((n, 3), np.float32)
    instances = InstanceSet(boxes, zeros, zeros, zeros, zeros, zeros, np.zeros(n, np.float32), zeros)
    return RoadsideMessage(unit, stamp_ns, instances, pose)


def spread_points(rng, count=4):
    """Return places (N, 2) that are too far apart to be mistaken for each other."""
    return np.column_stack([np.linspace(20, 80, count), rng.uniform(-30, 30, count)])


def learn(estimator, true_error, frames=100, noise_m=0.4, wrong=0.0, seed=0, score=0.9, start=0, corrects=True):
    """Show an estimator frames of a unit whose true pose is ``assumed @ true_error``; return the assumed pose."""
    rng = np.random.default_rng(seed)
    assumed = make_pose(rotation_z(2.5), np.array([30.0, -8, 5]))
    for frame in range(start, start + frames):
        points = spread_points(rng)
        seen = transform_points(assumed @ true_error, np.column_stack([points, np.zeros(4)]))
        seen[:, :2] += rng.normal(0, noise_m, (4, 2))
        bad = rng.random(4) < wrong
        seen[bad, :2] += rng.uniform(-2, 2, (int(bad.sum()), 2))
        estimator.update([message(points, assumed, frame * FRAME_NS)], frame * FRAME_NS,
                         lambda s=seen: EgoOnlyDetections(s, np.full(len(s), score)), corrects)
    return assumed


@pytest.mark.parametrize('degrees', [-1.0, 0.0, 1.0])
def test_a_yaw_error_is_found_among_noise_and_wrong_pairs(degrees):
    estimator = MisalignmentEstimator()
    true = make_pose(rotation_z(np.deg2rad(degrees)), np.array([0.3, -0.2, 0]))
    assumed = learn(estimator, true, wrong=0.2)
    found = estimator.estimate('rsu')
    assert np.rad2deg(found.yaw_rad) == pytest.approx(degrees, abs=0.25)
    assert found.shift_m == pytest.approx((0.3, -0.2), abs=0.25) and found.pairs > 150
    assert 0 < np.rad2deg(found.yaw_std_rad) < 0.5
    corrected = estimator.correct([message(np.array([[60.0, 0.0]]), assumed)])[0].ego_from_infra
    point = np.array([[60.0, 0, 0]])
    off = [np.linalg.norm(transform_points(p, point) - transform_points(assumed @ true, point))
           for p in (assumed, corrected)]
    assert off[1] < 0.3 and (degrees == 0 or off[1] < off[0] / 2)


def test_two_pairs_say_nothing():
    estimator = MisalignmentEstimator()
    points = spread_points(np.random.default_rng(0), 2)
    estimator.update([message(points, np.eye(4))], 0,
                     lambda: EgoOnlyDetections(np.column_stack([points, np.zeros(2)]), np.ones(2)), True)
    assert estimator.estimate('rsu') is None
    sent = message(np.zeros((1, 2)), np.eye(4))
    assert estimator.correct([sent]) == [sent]


def test_what_the_vehicle_is_unsure_of_does_not_count():
    estimator = MisalignmentEstimator()
    learn(estimator, make_pose(rotation_z(0.02), np.zeros(3)), score=0.1)
    assert estimator.estimate('rsu') is None


def test_a_change_is_followed():
    estimator = MisalignmentEstimator()
    learn(estimator, make_pose(rotation_z(0.02), np.zeros(3)), frames=50)
    assert np.rad2deg(estimator.estimate('rsu').yaw_rad) > 0.8
    learn(estimator, np.eye(4), seed=1, start=700, frames=50)
    assert abs(np.rad2deg(estimator.estimate('rsu').yaw_rad)) < 0.3


@pytest.mark.parametrize(('corrects', 'looks'), [(False, 10), (True, 50)])
def test_the_vehicle_looks_once_a_second_and_more_often_where_it_corrects(corrects, looks):
    estimator, seen = MisalignmentEstimator(), []
    for frame in range(100):
        estimator.update([message(np.zeros((1, 2)), np.eye(4))], frame * FRAME_NS,
                         lambda f=frame: seen.append(f) or EgoOnlyDetections(np.zeros((0, 3)), np.zeros(0)), corrects)
    assert len(seen) == looks
    estimator.update([], 200 * FRAME_NS, lambda: seen.append(-1), corrects)
    assert len(seen) == looks
    # Time that starts again does not keep it from looking.
    estimator.update([message(np.zeros((1, 2)), np.eye(4))], 0,
                     lambda: seen.append(0) or EgoOnlyDetections(np.zeros((0, 3)), np.zeros(0)), corrects)
    assert len(seen) == looks + 1


def test_a_thousand_looks_within_a_second_are_no_thousand_opinions():
    rng = np.random.default_rng(0)
    sent = rng.uniform(-40, 40, (5, 2))
    seen = sent + [0.4, 0]

    def look(weight):
        return Pairs(0, sent, seen, np.tile([[10.0, 50.0]], (5, 1)), np.full(5, weight))
    once, often = fit([look(1.0)]), fit([look(0.01)] * 100)
    assert once.shift_m == pytest.approx(often.shift_m) and once.yaw_std_rad == pytest.approx(often.yaw_std_rad)
    assert 0 < once.shift_m[0] < fit([look(1.0)] * 100).shift_m[0] < 0.41


def test_what_may_be_an_error_in_depth_counts_less():
    """The same turn, for a vehicle that looks along it and for one that looks across."""
    sent = np.array([[60.0, -8.0], [60.0, 0.0], [60.0, 8.0], [45.0, 5.0], [50.0, -5.0]])
    turned = sent @ rotation_z(np.deg2rad(1.0))[:2, :2].T
    along, across = (fit([Pairs(0, sent, turned, np.tile(ego, (5, 1)), np.ones(5))])
                     for ego in ([[55.0, 45.0]], [[100.0, 0.0]]))
    assert 0 < along.yaw_rad < 0.8 * across.yaw_rad and along.yaw_std_rad > across.yaw_std_rad


def test_units_are_reported_apart():
    estimator, points = MisalignmentEstimator(), spread_points(np.random.default_rng(0), 6)
    flat = np.column_stack([points, np.zeros(6)])
    for frame in range(30):
        stamp = frame * FRAME_NS
        estimator.update([message(points, make_pose(rotation_z(0.02), np.zeros(3)), stamp, 'off'),
                          message(points, np.eye(4), stamp, 'right')], stamp,
                         lambda: EgoOnlyDetections(flat, np.ones(6)), True)
    assert np.rad2deg(estimator.estimate('off').yaw_rad) < -0.8
    assert abs(np.rad2deg(estimator.estimate('right').yaw_rad)) < 0.05


class OneSided:
    """A tracker that sees every received object where it really is."""

    def __init__(self, true_pose):
        self.true_pose, self.received, self.frame = true_pose, [], 0

    def initial(self):
        """Return no state."""

    def step(self, state, frame, messages=()):
        """Remember the message as the state."""
        self.received.append(messages[0].ego_from_infra)
        self.frame += 1
        return messages[0], FrameOutput(self.frame * FRAME_NS, Boxes.empty(), np.zeros(0, bool), Boxes.empty(),
                                        InstanceSet.empty(3), (), False)

    def look(self, state):
        """Report the objects of the message at their true places."""
        points = transform_points(self.true_pose, state.instances.boxes.centre)
        return EgoOnlyDetections(points, np.ones(len(points)))


def test_the_ego_vehicle_corrects_if_asked_to():
    assumed = make_pose(rotation_z(1.0), np.array([20.0, 5, 0]))
    true = assumed @ make_pose(rotation_z(np.deg2rad(1.0)), np.zeros(3))
    points = spread_points(np.random.default_rng(0), 5)
    tracker = OneSided(true)
    agent, frame = EgoAgent(tracker), SimpleNamespace(ego_from_lidar=np.eye(4))
    sent = Received((message(points, assumed),))
    for _ in range(100):
        agent.step(frame, sent)
        agent.learn_poses()
    assert all(np.array_equal(pose, assumed) for pose in tracker.received)
    assert np.rad2deg(agent.misalignment('rsu').yaw_rad) == pytest.approx(1.0, abs=0.2)
    agent.step(frame, sent, online_extrinsics=True)
    far = np.array([[60.0, 0, 0]])
    off = np.linalg.norm(transform_points(tracker.received[-1], far) - transform_points(true, far))
    assert off < 0.3 < 1.0 < np.linalg.norm(transform_points(assumed, far) - transform_points(true, far))


def test_nothing_that_was_received_has_a_part_in_what_the_vehicle_sees_by_itself():
    roadside, ego = make_tracker(Side.ROADSIDE, MANY), make_tracker(Side.COOPERATIVE, MANY)
    sent = roadside.step(roadside.initial(), make_frame(0))[1].instances
    assert not len(ego.look(ego.initial()).points)
    alone, _ = ego.step(ego.initial(), make_frame(0))
    fused, output = ego.step(ego.initial(), make_frame(0), [make_message(sent, shift_x=-45.0)])
    assert output.matches
    views = [ego.look(state) for state in (alone, fused)]
    assert len(views[0].points) == len(views[0].scores) > 0
    np.testing.assert_array_equal(views[0].points, views[1].points)
