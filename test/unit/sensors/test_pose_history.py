"""Poses of the vehicle are kept in order of time, whatever the order in which they come."""

import numpy as np

from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.timeline import StampOrder
from cooptrack_ros.sensors.pose_history import PoseHistory

MS = 1_000_000


def pose(x):
    """Return a pose on the x axis."""
    return make_pose(np.eye(3), [x, 0, 0])


def history(*stamps_ms):
    """Return a history with poses whose x is their stamp in milliseconds."""
    made = PoseHistory()
    for stamp in stamps_ms:
        made.add(stamp * MS, pose(stamp))
    return made


def test_a_pose_is_interpolated_between_neighbours_and_never_guessed():
    history = PoseHistory()
    history.add(0, make_pose(rotation_z(0.0), [0, 0, 0]))
    history.add(100_000_000, make_pose(rotation_z(0.2), [2, 0, 0]))
    between = history.at(50_000_000, 0.1)
    assert np.allclose(between, make_pose(rotation_z(0.1), [1, 0, 0]))
    assert history.at(100_000_001, 0.1) is None
    assert history.at(50_000_000, 0.01) is None


def test_time_running_back_forgets_the_poses():
    history = PoseHistory()
    history.add(10**9, np.eye(4))
    history.add(0, np.eye(4))
    assert history.at(10**9, 1.0) is None


def test_a_pose_that_comes_a_little_late_is_sorted_in():
    poses = history(0, 100, 101, 300)
    assert poses.add(200 * MS, pose(200)) is StampOrder.LATE
    assert poses.add(99 * MS, pose(99)) is StampOrder.LATE
    assert poses.newest_ns == 300 * MS
    for stamp in (50, 99, 100, 101, 150, 200, 250):
        np.testing.assert_allclose(poses.at(stamp * MS, 0.1)[0, 3], stamp)


def test_a_known_stamp_changes_nothing():
    poses = history(0, 100, 200)
    for stamp in (0, 100, 200):
        assert poses.add(stamp * MS, pose(-1)) is StampOrder.DUPLICATE
        assert poses.at(stamp * MS, 0.1)[0, 3] == stamp


def test_half_a_second_back_is_late_and_more_is_a_jump():
    poses = history(1000, 1100)
    assert poses.add(600 * MS, pose(600)) is StampOrder.LATE
    assert poses.at(1050 * MS, 0.1) is not None
    assert poses.add(599 * MS, pose(599)) is StampOrder.JUMP
    assert poses.at(1050 * MS, 0.1) is None and poses.newest_ns == 599 * MS


def test_of_too_many_poses_the_oldest_go():
    poses = PoseHistory(capacity=3)
    for stamp in (100, 300, 200, 400):
        poses.add(stamp * MS, pose(stamp))
    assert poses.at(100 * MS, 0.1) is None and poses.at(200 * MS, 0.1)[0, 3] == 200
    poses.add(150 * MS, pose(150))
    assert poses.at(150 * MS, 0.1) is None


def test_a_missing_pose_is_explained():
    assert PoseHistory().describe(0) == 'none came'
    poses = history(0, 900)
    assert poses.describe(1000 * MS) == 'the newest pose is 0.100 s behind'
    assert poses.describe(-3600 * 1000 * MS) == 'the newest pose is 3600.900 s ahead, the oldest 3600.000 s'
    assert poses.describe(400 * MS) == 'the nearest are 0.400 s behind and 0.500 s ahead'
    poses.add(100 * MS, pose(100))
    assert poses.describe(1000 * MS).endswith('0.900 s behind, stamps ran back 1 time(s)')
