"""Poses from messages."""

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry

from cooptrack_msgs.msg import PairTransform
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.poses import check_frames, decode_odometry, decode_pair, decode_pose, decode_transform


def test_odometry_gives_stamp_and_pose_and_refuses_an_empty_quaternion():
    message = Odometry()
    message.header.stamp.sec, message.header.stamp.nanosec = 3, 4
    message.pose.pose.position.x = 2.0
    message.pose.pose.orientation.w, message.pose.pose.orientation.z = np.cos(0.25), np.sin(0.25)
    stamp, pose = decode_odometry(message)
    assert stamp == 3_000_000_004
    np.testing.assert_allclose(pose[:2, :2], [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    message.pose.pose.orientation.w = message.pose.pose.orientation.z = 0.0
    with pytest.raises(WireError) as refused:
        decode_odometry(message)
    assert refused.value.reason == 'bad_pose'


def test_singular_pair_is_refused():
    with pytest.raises(WireError) as refused:
        decode_pair(PairTransform())
    assert refused.value.reason == 'bad_pose'
    hidden = np.eye(4)
    hidden[0, 3], hidden[3, 0] = 2.0 ** 20, 2.0 ** -20
    assert np.linalg.det(hidden) == 0
    with pytest.raises(WireError) as refused:
        decode_pair(PairTransform(ego_from_infra=hidden.ravel()))
    assert refused.value.reason == 'bad_pose'


def test_pose_and_transform_give_the_same_matrix():
    pose, transform = PoseStamped(), TransformStamped()
    for position, orientation in ((pose.pose.position, pose.pose.orientation),
                                  (transform.transform.translation, transform.transform.rotation)):
        position.x, position.z = 1.0, 3.0
        orientation.w, orientation.z = np.cos(0.25), np.sin(0.25)
    np.testing.assert_array_equal(decode_pose(pose)[1], decode_transform(transform))
    np.testing.assert_array_equal(decode_transform(transform)[:3, 3], [1, 0, 3])


@pytest.mark.parametrize(('frame', 'child', 'is_fine'), [
    ('map', 'base', True), ('map', '', True), ('odom', 'base', False), ('', 'base', False), ('map', 'imu', False)])
def test_odometry_of_other_frames_is_refused(frame, child, is_fine):
    message = Odometry(child_frame_id=child)
    message.header.frame_id = frame
    if is_fine:
        check_frames(message, 'map', 'base')
        return
    with pytest.raises(WireError) as refused:
        check_frames(message, 'map', 'base')
    assert refused.value.reason == 'wrong_frame'


def test_any_child_frame_will_do_while_the_base_frame_is_not_known():
    message = Odometry(child_frame_id='imu')
    message.header.frame_id = 'map'
    check_frames(message, 'map', '')
