"""A wrong pose of a unit is found from pairs, and undone."""

from types import SimpleNamespace

import numpy as np
import pytest

from cooptrack_ros.core.ego_agent import EgoAgent
from cooptrack_ros.core.geometry import make_pose, rotation_z, transform_points
from cooptrack_ros.core.misalignment import MisalignmentConfig, MisalignmentEstimator, fit
from cooptrack_ros.core.types import Boxes, FrameOutput, InstanceSet, Match, RoadsideMessage


def message(points, pose):
    """Return a message with boxes at points (N, 2)."""
    n = len(points)
    boxes = Boxes(np.column_stack([points, np.zeros(n)]), np.ones((n, 3)), np.zeros(n), np.zeros((n, 2)),
                  np.zeros(n, np.int64), np.ones(n), np.arange(n))
    zeros = np.zeros((n, 3), np.float32)
    instances = InstanceSet(boxes, zeros, zeros, zeros, zeros, zeros, np.zeros(n, np.float32), zeros)
    return RoadsideMessage('rsu', 0, instances, pose)


def learn(estimator, true_error, frames=60, noise_m=0.5, wrong=0.0, seed=0, score=0.9):
    """Show an estimator pairs of a unit whose true pose is ``assumed @ true_error``; return the assumed pose."""
    rng = np.random.default_rng(seed)
    assumed = make_pose(rotation_z(2.5), np.array([30.0, -8, 5]))
    for _ in range(frames):
        points = rng.uniform([10, -30], [80, 30], (4, 2))
        seen = transform_points(assumed @ true_error, np.column_stack([points, np.zeros(4)]))
        seen[:, :2] += rng.normal(0, noise_m, (4, 2))
        bad = rng.random(4) < wrong
        seen[bad, :2] += rng.uniform(-3, 3, (int(bad.sum()), 2))
        matches = tuple(Match(i, 'rsu', i, i, 1.0, score, tuple(seen[i])) for i in range(4))
        estimator.learn([message(points, assumed)], SimpleNamespace(matches=matches, stamp_ns=0))
    return assumed


@pytest.mark.parametrize('degrees', [-1.0, 0.0, 1.0])
def test_a_yaw_error_is_found_among_noise_and_wrong_pairs(degrees):
    estimator = MisalignmentEstimator()
    assumed = learn(estimator, make_pose(rotation_z(np.deg2rad(degrees)), np.array([0.3, -0.2, 0])), wrong=0.2)
    found = estimator.estimate('rsu')
    assert np.rad2deg(found.yaw_rad) == pytest.approx(degrees, abs=0.15)
    assert found.shift_m == pytest.approx((0.3, -0.2), abs=0.2) and found.pairs > 200 and found.spread_m < 1
    sent = message(np.array([[60.0, 0.0]]), assumed)
    true = assumed @ make_pose(rotation_z(np.deg2rad(degrees)), np.array([0.3, -0.2, 0]))
    corrected = estimator.correct([sent])[0].ego_from_infra
    point = np.array([[60.0, 0, 0]])
    off = [np.linalg.norm(transform_points(p, point) - transform_points(true, point)) for p in (assumed, corrected)]
    assert off[1] < 0.25 and (degrees == 0 or off[1] < off[0] / 3)


def test_few_pairs_say_nothing():
    estimator = MisalignmentEstimator()
    assumed = learn(estimator, np.eye(4), frames=9)
    assert estimator.estimate('rsu') is None
    sent = message(np.zeros((1, 2)), assumed)
    assert estimator.correct([sent]) == [sent]


def test_what_the_vehicle_does_not_see_itself_does_not_count():
    estimator = MisalignmentEstimator()
    learn(estimator, make_pose(rotation_z(0.02), np.zeros(3)), score=0.1)
    assert estimator.estimate('rsu') is None


def test_a_change_is_followed():
    estimator = MisalignmentEstimator(MisalignmentConfig(window=100))
    learn(estimator, make_pose(rotation_z(0.02), np.zeros(3)))
    learn(estimator, np.eye(4), seed=1)
    assert abs(np.rad2deg(estimator.estimate('rsu').yaw_rad)) < 0.2


def test_without_error_hardly_anything_changes():
    rng = np.random.default_rng(0)
    sent = rng.uniform(-40, 40, (400, 2))
    found = fit(sent, sent + rng.normal(0, 0.3, sent.shape))
    assert abs(np.rad2deg(found.yaw_rad)) < 0.1 and np.abs(found.shift_m).max() < 0.1


class OneSided:
    """A tracker that sees every received object where it really is."""

    def __init__(self, true_pose):
        self.true_pose, self.heard = true_pose, []

    def initial(self):
        """Return no state."""

    def step(self, state, frame, messages=(), zero_features=False):
        """Report the objects of the message at their true places."""
        self.heard.append(messages[0].ego_from_infra)
        points = transform_points(self.true_pose, messages[0].instances.boxes.centre)
        matches = tuple(Match(i, 'rsu', i, i, 1.0, 0.9, tuple(p)) for i, p in enumerate(points))
        return None, FrameOutput(0, Boxes.empty(), np.zeros(0, bool), Boxes.empty(), InstanceSet.empty(3), matches,
                                 False)


def test_the_ego_vehicle_corrects_if_asked_to():
    assumed = make_pose(rotation_z(1.0), np.array([20.0, 5, 0]))
    true = assumed @ make_pose(rotation_z(np.deg2rad(1.0)), np.zeros(3))
    points = np.random.default_rng(0).uniform([10, -30], [80, 30], (5, 2))
    tracker = OneSided(true)
    agent = EgoAgent(tracker, fuses_late=False)
    for _ in range(20):
        agent.step(SimpleNamespace(), [message(points, assumed)], [])
    assert all(np.array_equal(pose, assumed) for pose in tracker.heard)
    assert np.rad2deg(agent.misalignment('rsu').yaw_rad) == pytest.approx(1.0, abs=0.1)
    agent.step(SimpleNamespace(), [message(points, assumed)], [], corrects_poses=True)
    far = np.array([[60.0, 0, 0]])
    off = np.linalg.norm(transform_points(tracker.heard[-1], far) - transform_points(true, far))
    assert off < 0.1 < 1.0 < np.linalg.norm(transform_points(assumed, far) - transform_points(true, far))
