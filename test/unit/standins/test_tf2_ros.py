"""The stand-in for tf2_ros."""

import math
import threading

import numpy as np
import pytest
import rclpy
import tf2_ros
from geometry_msgs.msg import TransformStamped
from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future
from rclpy.time import Time
from tf_transformations import quaternion_from_euler, quaternion_matrix

LATEST = Time()


def seconds(value: float) -> Time:
    """Return a time."""
    return Time(nanoseconds=round(value * 1e9))


def transform(parent, child, xyz=(0, 0, 0), yaw=0.0, at=0.0) -> TransformStamped:
    """Return the pose of a child in its parent."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id, message.header.stamp = parent, seconds(at).to_msg()
    for part, values in ((message.transform.translation, xyz),
                         (message.transform.rotation, quaternion_from_euler(0, 0, yaw))):
        for name, value in zip('xyzw', values):
            setattr(part, name, float(value))
    return message


def matrix(message: TransformStamped) -> np.ndarray:
    """Return a transform as 4x4."""
    t, r = message.transform.translation, message.transform.rotation
    result = quaternion_matrix([r.x, r.y, r.z, r.w])
    result[:3, 3] = [t.x, t.y, t.z]
    return result


@pytest.fixture
def buffer():
    """Return map -> car (moving, turning a quarter from 10 s to 12 s) -> lidar (static), and map -> pole (static)."""
    buffer = tf2_ros.Buffer()
    buffer.set_transform(transform('map', 'car', (0, 0, 0), 0.0, 10.0), 'test')
    buffer.set_transform(transform('map', 'car', (4, 2, 0), math.pi / 2, 12.0), 'test')
    buffer.set_transform_static(transform('car', 'lidar', (1, 0, 2)), 'test')
    buffer.set_transform_static(transform('/map', 'pole', (0, 5, 0), math.pi), 'test')
    return buffer


def test_between_two_stamps_the_pose_is_interpolated(buffer):
    found = buffer.lookup_transform('map', 'car', seconds(11.0))
    assert (found.header.frame_id, found.child_frame_id, found.header.stamp.sec) == ('map', 'car', 11)
    np.testing.assert_allclose(matrix(found), matrix(transform('map', 'car', (2, 1, 0), math.pi / 4)), atol=1e-12)
    quarter = buffer.lookup_transform('map', 'car', seconds(10.5))
    np.testing.assert_allclose(matrix(quarter), matrix(transform('map', 'car', (1, 0.5, 0), math.pi / 8)), atol=1e-12)


def test_a_point_goes_up_and_down_the_tree(buffer):
    # At 12 s the car stands at (4, 2) and looks along y: its lidar is at (4, 3, 2) in the map; the pole at (0, 5)
    # looks along -x, so that this is (-4, 2, 2) for it.
    found = matrix(buffer.lookup_transform('pole', 'lidar', seconds(12.0)))
    np.testing.assert_allclose(found @ [0, 0, 0, 1], [-4, 2, 2, 1], atol=1e-12)
    back = matrix(buffer.lookup_transform('lidar', 'pole', seconds(12.0)))
    np.testing.assert_allclose(found @ back, np.identity(4), atol=1e-12)


def test_time_zero_means_the_latest_common_time(buffer):
    buffer.set_transform(transform('map', 'truck', (1, 0, 0), at=10.0), 'test')
    buffer.set_transform(transform('map', 'truck', (3, 0, 0), at=11.0), 'test')
    assert buffer.lookup_transform('map', 'lidar', LATEST).header.stamp.sec == 12
    assert buffer.lookup_transform('truck', 'lidar', LATEST).header.stamp.sec == 11
    assert buffer.lookup_transform('pole', 'map', LATEST).header.stamp.sec == 0


def test_a_frame_in_itself_is_the_identity(buffer):
    np.testing.assert_array_equal(matrix(buffer.lookup_transform('car', 'car', seconds(11))), np.identity(4))


@pytest.mark.parametrize('target, source, at, error, text', [
    ('map', 'bike', 11.0, tf2_ros.LookupException, '"bike" passed'),
    ('map', 'island', 11.0, tf2_ros.ConnectivityException, 'not part of the same tree'),
    ('map', 'island', 0.0, tf2_ros.ConnectivityException, 'not part of the same tree'),
    ('map', 'lidar', 12.1, tf2_ros.ExtrapolationException, r'into the future.*12\.1.*latest data is at time 12\.0'),
    ('pole', 'lidar', 9.9, tf2_ros.ExtrapolationException, 'into the past'),
    ('lidar', 'map', 9.9, tf2_ros.ExtrapolationException, 'into the past'),
    ('/map', 'car', 11.0, tf2_ros.InvalidArgumentException, 'slash')])
def test_what_is_not_known_raises_the_right_error(buffer, target, source, at, error, text):
    buffer.set_transform_static(transform('sea', 'island'), 'test')
    with pytest.raises(error, match=text):
        buffer.lookup_transform(target, source, seconds(at))
    assert not buffer.can_transform(target, source, seconds(at))
    assert buffer.can_transform(target, source, seconds(at), return_debug_tuple=True)[1]


def test_unknown_times_above_the_common_ancestor_do_not_matter(buffer):
    assert buffer.can_transform('car', 'lidar', seconds(99.0))
    assert buffer.can_transform('pole', 'map', seconds(99.0))


def test_a_loop_is_an_error():
    buffer = tf2_ros.Buffer()
    for parent, child in (('a', 'b'), ('b', 'a'), ('sea', 'island')):
        buffer.set_transform_static(transform(parent, child), 'test')
    for at in (0.0, 1.0):
        with pytest.raises(tf2_ros.LookupException, match='loop'):
            buffer.lookup_transform('island', 'a', seconds(at))


def test_samples_may_come_in_any_order_and_replace_each_other(buffer):
    buffer.set_transform(transform('map', 'car', (100, 0, 0), at=11.0), 'test')
    buffer.set_transform(transform('map', 'car', (8, 0, 0), at=11.0), 'test')
    assert buffer.lookup_transform('map', 'car', seconds(10.5)).transform.translation.x == pytest.approx(4.0)


def test_only_the_cache_time_is_kept():
    buffer = tf2_ros.Buffer(Duration(seconds=2))
    for at in (10.0, 11.0, 13.0, 10.5):  # the last one is too old
        buffer.set_transform(transform('map', 'car', at=at), 'test')
    assert buffer.can_transform('map', 'car', seconds(11.0))
    assert not buffer.can_transform('map', 'car', seconds(10.9))


@pytest.mark.parametrize('wrong', [transform('map', 'map'), transform('', 'car'),
                                   transform('map', 'car', (math.nan, 0, 0)), transform('map', 'car')])
def test_wrong_transforms_are_ignored(wrong):
    buffer = tf2_ros.Buffer()
    if wrong == transform('map', 'car'):
        wrong.transform.rotation.w = 3.0
    buffer.set_transform(wrong, 'test')
    assert not buffer.can_transform('map', 'car', LATEST)


def test_clear_forgets_what_moves_and_keeps_what_is_static(buffer):
    buffer.clear()
    assert not buffer.can_transform('map', 'car', seconds(11.0))
    assert not buffer.can_transform('map', 'car', LATEST)
    assert buffer.can_transform('map', 'pole', LATEST)


def test_a_clock_that_jumps_back_clears_what_moves():
    class Node:
        clock = ROSClock()

        def get_clock(self):
            return self.clock

    def set_clock(value):
        Node.clock.set_ros_time_override(Time(seconds=value, clock_type=Node.clock.clock_type))
    Node.clock._set_ros_time_is_active(True)
    set_clock(12)
    buffer = tf2_ros.Buffer(node=Node())
    buffer.set_transform(transform('map', 'car', at=12.0), 'test')
    buffer.set_transform_static(transform('car', 'lidar'), 'test')
    set_clock(13)
    assert buffer.can_transform('map', 'lidar', seconds(12.0))
    set_clock(3)
    assert not buffer.can_transform('map', 'lidar', seconds(12.0))
    buffer.set_transform(transform('map', 'car', at=3.0), 'test')
    assert buffer.can_transform('map', 'lidar', seconds(3.0))


def test_a_look_up_waits_for_what_comes_from_another_thread(buffer):
    thread = threading.Thread(target=buffer.set_transform, args=(transform('map', 'car', (6, 0, 0), at=13.0), 'test'))
    with buffer._changed:  # the other thread gets in only when the look-up waits
        thread.start()
        found = buffer.lookup_transform('map', 'car', seconds(13.0), Duration(seconds=30))
    thread.join()
    assert found.transform.translation.x == 6.0
    assert not buffer.can_transform('map', 'car', seconds(14.0), Duration(nanoseconds=10**6))


def test_what_is_broadcast_arrives_in_the_buffer(monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '87')
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('tf_test', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        tf2_ros.StaticTransformBroadcaster(node).sendTransform(transform('car', 'lidar', (1, 0, 0)))
        buffer = tf2_ros.Buffer(node=node)
        listener = tf2_ros.TransformListener(buffer, node)
        sender = tf2_ros.TransformBroadcaster(node)
        arrived = Future(executor=executor)

        def send_and_look():
            sender.sendTransform([transform('map', 'car', (2, 0, 0), at=5.0)])
            if buffer.can_transform('map', 'lidar', seconds(5.0)):
                arrived.set_result(True)
        node.create_timer(0.02, send_and_look)
        executor.spin_until_future_complete(arrived, timeout_sec=30)
        assert buffer.lookup_transform('map', 'lidar', seconds(5.0)).transform.translation.x == 3.0
        listener.unregister()
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
