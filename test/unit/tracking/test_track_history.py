"""Trails stay where the objects were."""

import numpy as np

from cooptrack_ros.common.geometry import make_pose
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.tracking.track_history import Trails

S = 1_000_000_000


def at(x, *ids):
    n = len(ids)
    return Boxes(np.tile([x, 0.0, 0.0], (n, 1)), np.ones((n, 3)), np.zeros(n), np.zeros((n, 2)), np.zeros(n, np.int64),
                 np.ones(n), np.array(ids, np.int64))


def test_a_standing_object_stays_in_place_while_the_vehicle_drives_past():
    trails = Trails()
    for step in range(5):
        trails.observe(at(10.0 - step, 1), make_pose(np.eye(3), [step, 0, 0]), step * S, 10.0)
    np.testing.assert_allclose(trails.of(1), np.tile([10.0, 0, 0], (5, 1)))


def test_old_positions_are_forgotten_and_in_the_end_the_track():
    trails = Trails()
    for step in range(5):
        trails.observe(at(float(step), 1), np.eye(4), step * S, 2.0)
    assert trails.of(1)[:, 0].tolist() == [2.0, 3.0, 4.0]
    trails.observe(at(0.0), np.eye(4), 9 * S, 2.0)
    assert trails.of(1).shape == (0, 3)


def test_a_reset_forgets():
    trails = Trails()
    trails.observe(at(1.0, 1), np.eye(4), S, 2.0)
    trails.reset()
    assert len(trails.of(1)) == 0
