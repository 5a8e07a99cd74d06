"""Tracks as Autoware's TrackedObjects."""

from uuid import UUID

import numpy as np
import pytest
from autoware_perception_msgs.msg import ObjectClassification, Shape, TrackedObjectKinematics, TrackedObjects
from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_ros.common.geometry import make_pose, rotation_z, wrap_angle
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.tracking.track_history import TurnRates
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.tracked_objects import to_tracked_objects
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks

NOW = 1_700_000_000_123_456_789
SESSION = UUID(int=7)
LIDAR_YAW = np.radians(75)
MAP_FROM_LIDAR = make_pose(rotation_z(LIDAR_YAW), [100.0, 200.0, 3.0])
CLASSES = ('car', 'bicycle', 'pedestrian', 'Truck', 'scooter')


def over_the_wire(yaw, velocity, label=None, session=SESSION, ns=NOW, centre=None, **options):
    """Return what a planner gets of N boxes of the lidar frame."""
    n = len(yaw)
    centres = np.tile([10.0, -4.0, 0.5], (n, 1)) if centre is None else centre
    boxes = Boxes(centres, np.tile([4.5, 1.9, 1.6], (n, 1)), np.asarray(yaw, float), np.asarray(velocity, float),
                  np.zeros(n, np.int64) if label is None else label, np.full(n, 0.625), np.arange(1, n + 1))
    meta = TrackMeta(ns, 'ego/lidar', 'none', 'model', 'map', MAP_FROM_LIDAR, CLASSES)
    message = encode_tracks(boxes, meta, np.zeros(n), np.zeros(n, np.int64), {})
    return deserialize_message(serialize_message(to_tracked_objects(message, session, **options)), TrackedObjects)


def heading_of(tracked):
    """Return the yaw of an object in the frame of its message."""
    q = tracked.kinematics.pose_with_covariance.pose.orientation
    return 2 * np.arctan2(q.z, q.w)


def turning(steps=60, step_s=0.1, speed=8.0, rate=0.6):
    """Yield (centre, yaw, velocity) in the map of a car that begins at 30 degrees and turns through more than pi."""
    yaw, centre = np.radians(30), np.array([120.0, 190.0, 3.5])
    for _ in range(steps):
        velocity = speed * np.array([np.cos(yaw), np.sin(yaw)])
        yield centre.copy(), yaw, velocity
        centre[:2] += velocity * step_s
        yaw += rate * step_s


def test_a_car_that_turns_while_it_moves_keeps_place_heading_and_forward_velocity():
    lidar_from_map = np.linalg.inv(MAP_FROM_LIDAR)
    headings = []
    for centre, yaw, velocity in turning():
        local = (lidar_from_map @ [*centre, 1])[None, :3]
        message = over_the_wire([wrap_angle(yaw - LIDAR_YAW)], [rotation_z(-LIDAR_YAW)[:2, :2] @ velocity],
                                centre=local)
        tracked, = message.objects
        pose = tracked.kinematics.pose_with_covariance.pose
        np.testing.assert_allclose([pose.position.x, pose.position.y, pose.position.z], centre, atol=1e-9)
        assert wrap_angle(heading_of(tracked) - yaw) == pytest.approx(0, abs=1e-6)
        twist = tracked.kinematics.twist_with_covariance.twist
        assert (twist.linear.x, twist.linear.y) == pytest.approx((8.0, 0.0), abs=1e-6)
        headings.append(heading_of(tracked))
    turns = wrap_angle(np.diff(headings))
    np.testing.assert_allclose(turns, 0.06, atol=1e-6)
    assert np.abs(np.sum(turns)) > np.pi


def test_a_car_that_turns_has_its_rate_in_radians_a_second_once_it_is_known():
    rates = TurnRates()
    for frame, (_, yaw, velocity) in enumerate(turning()):
        rates.observe(in_map(yaw), NOW + frame * 100_000_000, False)
        tracked, = over_the_wire([wrap_angle(yaw - LIDAR_YAW)], [velocity], turn_rates=rates.rates()).objects
        angular = tracked.kinematics.twist_with_covariance.twist.angular
        assert (angular.x, angular.y) == (0, 0)
        assert angular.z == pytest.approx(0.6 if frame >= 3 else 0)


def in_map(yaw):
    """Return a car in the map as the box of track 1."""
    return Boxes(np.zeros((1, 3)), np.ones((1, 3)), np.array([wrap_angle(yaw)]), np.zeros((1, 2)), np.zeros(1, int),
                 np.ones(1), np.array([1]))


def test_objects_may_stay_in_the_frame_of_their_tracks():
    tracked, = (message := over_the_wire([0.25], [[1.0, 0.0]], in_map=False)).objects
    assert message.header.frame_id == 'ego/lidar' and heading_of(tracked) == pytest.approx(0.25)
    position = tracked.kinematics.pose_with_covariance.pose.position
    assert (position.x, position.y, position.z) == (10.0, -4.0, 0.5)


def test_an_object_that_drives_backwards_or_sideways_is_not_turned_round():
    yaw = np.full(2, np.radians(30) - LIDAR_YAW)
    forward = np.array([np.cos(yaw[0]), np.sin(yaw[0])])
    left = np.array([-forward[1], forward[0]])
    back, side = over_the_wire(yaw, [-3 * forward, 2 * left]).objects
    for tracked, expected in ((back, (-3, 0)), (side, (0, 2))):
        assert heading_of(tracked) == pytest.approx(np.radians(30))
        linear = tracked.kinematics.twist_with_covariance.twist.linear
        assert (linear.x, linear.y) == pytest.approx(expected, abs=1e-6)


def test_the_message_stands_in_the_map_at_the_time_of_the_image():
    message = over_the_wire([0.0], [[1.0, 0.0]])
    assert message.header.frame_id == 'map' and stamp_ns(message.header.stamp) == NOW
    assert over_the_wire([], np.zeros((0, 2))).objects == []


def test_classes_shape_and_probabilities():
    n = len(CLASSES)
    objects = over_the_wire(np.zeros(n), np.ones((n, 2)), np.arange(n)).objects
    kinds = [o.classification[0].label for o in objects]
    assert kinds == [ObjectClassification.CAR, ObjectClassification.BICYCLE, ObjectClassification.PEDESTRIAN,
                     ObjectClassification.TRUCK, ObjectClassification.UNKNOWN]
    for tracked in objects:
        assert [c.probability for c in tracked.classification] == [1.0]
        assert tracked.existence_probability == 0.625
        size = tracked.shape.dimensions
        assert (tracked.shape.type, size.x, size.y, size.z) == (Shape.BOUNDING_BOX, 4.5, 1.9, 1.6)
        assert tracked.kinematics.orientation_availability == TrackedObjectKinematics.AVAILABLE


def test_what_is_not_known_is_zero():
    tracked, = over_the_wire([0.3], [[np.nan, np.nan]]).objects
    kinematics = tracked.kinematics
    linear = kinematics.twist_with_covariance.twist.linear
    assert (linear.x, linear.y) == (0, 0)
    for part in (kinematics.pose_with_covariance, kinematics.twist_with_covariance,
                 kinematics.acceleration_with_covariance):
        assert not np.any(part.covariance)


def test_a_uuid_stays_with_its_track_and_ends_with_the_session():
    def ids(**changes):
        return [bytes(o.object_id.uuid) for o in over_the_wire(np.zeros(3), np.ones((3, 2)), **changes).objects]
    first = ids()
    assert len(set(first)) == 3 and all(len(i) == 16 for i in first)
    # Nothing is remembered between messages, so it does not matter who listened to which.
    assert ids(ns=NOW + 10**9) == first
    assert not set(ids(session=UUID(int=8))) & set(first)
