"""TrackedObjects of units that do not run our network: what is read of them, and what is refused."""

from uuid import UUID

import numpy as np
import pytest
from autoware_perception_msgs.msg import ObjectClassification, Shape, TrackedObject, TrackedObjectKinematics
from autoware_perception_msgs.msg import TrackedObjects as Message
from geometry_msgs.msg import Point32
from rclpy.serialization import serialize_message
from test_tracked_objects import MAP_FROM_LIDAR, NOW, over_the_wire

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.geometry import rotation_z, transform_points, wrap_angle
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.common.uncertainty import TrackUncertainty
from cooptrack_ros.cooperation.foreign import NOT_STATED
from cooptrack_ros.wire.features import FeatureLimits
from cooptrack_ros.wire.serialized import read_message
from cooptrack_ros.wire.tracked_objects import TrackedObjectsReader, to_tracked_objects
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks

CLASSES = ('car', 'bicycle', 'pedestrian')
YAW = np.radians(30)


def reader(**limits):
    """Return a reader of messages in the frame map."""
    return TrackedObjectsReader('map', CLASSES, FeatureLimits(**limits))


def tracked(kind=ObjectClassification.CAR, x=100.0, number=1, speed=5.0):
    """Return a car at 30 degrees that drives forward."""
    result = TrackedObject(existence_probability=0.75)
    result.object_id.uuid = np.frombuffer(UUID(int=number).bytes, np.uint8)
    result.classification = [ObjectClassification(label=ObjectClassification.UNKNOWN, probability=0.2),
                             ObjectClassification(label=kind, probability=0.7)]
    size = result.shape.dimensions
    size.x, size.y, size.z = 4.5, 1.9, 1.6
    kinematics = result.kinematics
    pose, twist = kinematics.pose_with_covariance.pose, kinematics.twist_with_covariance.twist
    pose.position.x, pose.position.y, pose.position.z = x, 50.0, 1.0
    pose.orientation.z, pose.orientation.w = np.sin(YAW / 2), np.cos(YAW / 2)
    kinematics.orientation_availability = TrackedObjectKinematics.AVAILABLE
    twist.linear.x, twist.angular.z = speed, 0.3
    return result


def message(*objects, frame='map'):
    """Return a message of the time NOW."""
    result = Message(objects=list(objects))
    result.header.frame_id = frame
    result.header.stamp.sec, result.header.stamp.nanosec = divmod(NOW, 10**9)
    return result


def test_what_one_of_us_sends_another_one_reads_as_it_was():
    centre = np.array([[10.0, -4.0, 0.5], [20.0, 3.0, 0.5]])
    yaw, velocity = np.array([0.5, -2.9]), np.array([[6.0, 2.0], [np.nan, np.nan]])
    found = reader().read(over_the_wire(yaw, velocity, label=np.array([0, 2]), centre=centre))
    assert found.stamp_ns == NOW and found.session == 0 and found.place is None
    np.testing.assert_allclose(found.boxes.centre, transform_points(MAP_FROM_LIDAR, centre), atol=1e-9)
    np.testing.assert_allclose(wrap_angle(found.boxes.yaw - yaw - np.radians(75)), 0, atol=1e-6)
    np.testing.assert_allclose(found.boxes.velocity[0], rotation_z(np.radians(75))[:2, :2] @ velocity[0], atol=1e-6)
    assert found.boxes.label.tolist() == [0, 2] and found.boxes.track_id.tolist() == [1, 2]
    np.testing.assert_allclose(found.boxes.size, [[4.5, 1.9, 1.6]] * 2)
    assert found.boxes.score.tolist() == [0.625, 0.625]
    assert not found.uncertainty.known.any()


def test_a_velocity_is_turned_from_the_axes_of_its_object_into_those_of_the_map():
    found = reader().read(message(tracked()))
    np.testing.assert_allclose(found.boxes.velocity, [[5 * np.cos(YAW), 5 * np.sin(YAW)]])
    np.testing.assert_allclose(found.boxes.yaw, [YAW])


def test_covariances_are_one_sigma_and_turn_with_the_object():
    car = tracked()
    pose, twist = car.kinematics.pose_with_covariance.covariance, car.kinematics.twist_with_covariance.covariance
    pose[[0, 7, 14, 35]] = 0.25, 0.09, 0.04, 0.01
    pose[[1, 6]] = 0.05
    twist[[0, 7]] = 4.0, 1.0
    stated = reader().read(message(car)).uncertainty
    np.testing.assert_allclose(stated.position[0], [[0.25, 0.05, 0], [0.05, 0.09, 0], [0, 0, 0.04]], atol=1e-9)
    assert (stated.heading[0], stated.flip[0], stated.existence[0]) == (0.01, 0.0, 0.75)
    along, across = np.array([np.cos(YAW), np.sin(YAW)]), np.array([-np.sin(YAW), np.cos(YAW)])
    assert (along @ stated.velocity[0] @ along, across @ stated.velocity[0] @ across) == pytest.approx((4.0, 1.0))
    assert (stated.size[0] == NOT_STATED).all()


def test_what_one_of_us_is_sure_of_another_one_reads_in_the_axes_of_the_map():
    boxes = Boxes(np.array([[10.0, -4.0, 0.5]]), np.array([[4.5, 1.9, 1.6]]), np.array([0.5]), np.array([[6.0, 2.0]]),
                  np.array([0]), np.array([0.6]), np.array([1]))
    sure = TrackUncertainty(np.array([0.875]), np.diag([0.25, 1.0, 0.04])[None], np.array([0.01]), np.array([0.0]),
                            np.array([[0.09, 0.01, 0.04]]), np.array([[[0.5, 0.1], [0.1, 0.3]]]))
    meta = TrackMeta(NOW, 'ego/lidar', 'none', 'model', 'map', MAP_FROM_LIDAR, CLASSES)
    none = np.zeros(1, np.int64)
    sent = to_tracked_objects(encode_tracks(boxes, meta, np.zeros(1), none, {}, uncertainty=sure), UUID(int=7))
    read, expected = reader().read(sent).uncertainty, sure.rotated(MAP_FROM_LIDAR[:3, :3])
    for name in ('existence', 'position', 'heading', 'velocity'):
        np.testing.assert_allclose(getattr(read, name), getattr(expected, name), rtol=1e-5, atol=1e-6)
    assert read.flip[0] == 0


def test_an_object_without_covariances_states_nothing_and_a_partial_one_only_that_part():
    bare, partial = tracked(number=1), tracked(number=2)
    partial.kinematics.pose_with_covariance.covariance[[0, 7, 14]] = 0.25
    stated = reader().read(message(bare, partial)).uncertainty
    assert stated.known.tolist() == [False, True]
    assert stated.heading[1] == np.pi ** 2
    np.testing.assert_allclose(stated.velocity[1], NOT_STATED * np.eye(2))


def test_classes_that_the_model_does_not_know_are_left_out_and_counted():
    kinds = [ObjectClassification.TRUCK, ObjectClassification.BUS, ObjectClassification.MOTORCYCLE,
             ObjectClassification.PEDESTRIAN, ObjectClassification.ANIMAL, ObjectClassification.UNKNOWN]
    nameless = tracked(number=9)
    nameless.classification = []
    found = reader().read(message(*(tracked(k, number=i) for i, k in enumerate(kinds)), nameless))
    assert found.boxes.label.tolist() == [0, 0, 1, 2] and found.no_class == 3


def test_a_heading_of_unknown_sign_that_drives_backwards_is_turned_round():
    cars = [tracked(number=1, speed=-5.0), tracked(number=2, speed=-5.0), tracked(number=3, speed=-0.1)]
    for car in cars[1:]:
        car.kinematics.orientation_availability = TrackedObjectKinematics.SIGN_UNKNOWN
    found = reader().read(message(*cars))
    np.testing.assert_allclose(wrap_angle(found.boxes.yaw - [YAW, YAW + np.pi, YAW]), 0, atol=1e-9)
    np.testing.assert_allclose(found.boxes.velocity[0], found.boxes.velocity[1])


def test_shapes_of_other_kinds_become_boxes():
    pole, outline = tracked(number=1), tracked(number=2)
    pole.shape.type, pole.shape.dimensions.x, pole.shape.dimensions.y = Shape.CYLINDER, 0.8, 0.0
    outline.shape.type = Shape.POLYGON
    outline.shape.footprint.points = [Point32(x=x, y=y) for x, y in ((3.0, 1.0), (-1.0, 1.0), (-1.0, -1.0))]
    boxes = reader().read(message(pole, outline)).boxes
    np.testing.assert_allclose(boxes.size, [[0.8, 0.8, 1.6], [4.0, 2.0, 1.6]])
    np.testing.assert_allclose(boxes.centre[1], [100 + np.cos(YAW), 50 + np.sin(YAW), 1.0])


def test_numbers_stay_with_uuids_from_message_to_message():
    mine = reader()
    first, second = (mine.read(message(*(tracked(number=n) for n in numbers))) for numbers in ((7, 5), (5, 9, 7)))
    assert first.boxes.track_id.tolist() == [1, 2] and second.boxes.track_id.tolist() == [2, 3, 1]


def spoiled(**changes):
    """Return a car with fields replaced by name, ``a__b`` for nested ones."""
    car = tracked()
    for name, value in changes.items():
        *path, last = name.split('__')
        part = car
        for step in path:
            part = getattr(part, step)
        setattr(part, last, value)
    return car


POSE, TWIST = 'kinematics__pose_with_covariance', 'kinematics__twist_with_covariance'


@pytest.mark.parametrize(('reason', 'car'), [
    ('not_finite', spoiled(**{f'{POSE}__pose__position__x': np.nan})),
    ('not_finite', spoiled(**{f'{TWIST}__twist__linear__y': np.inf})),
    ('not_finite', spoiled(**{f'{POSE}__covariance': [np.nan] * 36})),
    ('implausible', spoiled(**{f'{POSE}__pose__orientation__w': 3.0})),
    ('implausible', spoiled(**{f'{POSE}__pose__position__y': 1e9})),
    ('implausible', spoiled(**{f'{TWIST}__twist__linear__x': 500.0})),
    ('implausible', spoiled(shape__dimensions__x=0.0)), ('implausible', spoiled(shape__dimensions__z=80.0)),
    ('implausible', spoiled(existence_probability=1.5)),
    ('implausible', spoiled(**{f'{POSE}__covariance': [-1.0] + [0.0] * 35})),
    ('implausible', spoiled(**{f'{POSE}__covariance': [1.0] + [0.0] * 34 + [-1.0]})),
    ('implausible', spoiled(**{f'{POSE}__covariance': [1e300] + [0.0] * 35})),
    ('implausible', spoiled(**{f'{POSE}__covariance': [1.0, 0.9] + [0.0] * 34}))])
def test_one_bad_object_costs_the_message(reason, car):
    with pytest.raises(WireError) as caught:
        reader().read(message(tracked(number=2), car))
    assert caught.value.reason == reason


def test_messages_of_other_frames_sizes_and_times_are_refused():
    twins, timeless = message(tracked(), tracked()), message(tracked())
    timeless.header.stamp.nanosec = 2 * 10**9
    for reason, msg, limits in (
            ('wrong_map_frame', message(tracked(), frame='base_link'), {}), ('implausible', timeless, {}),
            ('implausible', twins, {}), ('too_large', message(*map(tracked, range(3))), {'max_instances': 2})):
        with pytest.raises(WireError) as caught:
            reader(**limits).read(msg)
        assert caught.value.reason == reason
    small = reader(max_instances=2)
    with pytest.raises(WireError, match='bytes'):
        read_message(serialize_message(message(*(tracked(number=i) for i in range(20)))), Message, small.max_bytes)


def test_an_empty_message_says_that_nothing_is_there():
    found = reader().read(message())
    assert len(found.boxes) == len(found.uncertainty) == 0
