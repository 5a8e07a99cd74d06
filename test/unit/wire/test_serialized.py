"""Lengths that a serialized message claims are checked before anything is made of it."""

import struct
from array import array

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from cooptrack_msgs.msg import (
    Calibration,
    InstanceFeatureArray,
    Latency,
    PairTransform,
    PanopticOccupancy,
    RoadsideOccupancy,
    UnitInfo,
)
from cooptrack_ros.common.errors import UserError, WireError
from cooptrack_ros.wire import serialized
from cooptrack_ros.wire.features import FeatureLimits, FeatureMeta, encode_instances
from cooptrack_ros.wire.serialized import MAX_TEXT, check_texts, read_message
from cooptrack_ros.wire.topics import kind_name, kind_of


def features(**changes):
    """Return a message with features of three objects."""
    from support.ros_world import instances
    message = encode_instances(instances(3), FeatureMeta('rsu_1', 1, 0, 'm', 10**18, 'lidar', 'map'))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def refused(data, kind, **options):
    """Return the error that a serialized message is refused with."""
    with pytest.raises(WireError) as caught:
        read_message(data, kind, **options)
    return caught.value


MESSAGES = [
    features(), InstanceFeatureArray(), Odometry(child_frame_id='base'), PairTransform(unit_id='rsu_1'),
    Calibration(distortion=array('d', [1.0, 2.0])), CameraInfo(d=array('d', [1.0]), distortion_model='plumb_bob'),
    PanopticOccupancy(class_names=['car', 'free'], index=array('I', [7]), track_ids=array('Q', [1])),
    RoadsideOccupancy(unit_id='rsu_1', classes=array('B', [1]), runs=array('B', [1, 2, 3])),
    UnitInfo(class_names=['car', 'a']), Latency(stages=['wait'], stage_start_s=array('d', [0.5])),
    DiagnosticArray(status=[DiagnosticStatus(level=b'\1', values=[KeyValue(key='a', value='b')]), DiagnosticStatus()])]


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: type(m).__name__)
def test_the_end_of_every_kind_of_message_is_found(message):
    data = serialize_message(message)
    assert read_message(data, type(message)) == message
    assert serialized._skip_fields(type(message))(memoryview(data)[4:], 0, struct.Struct('<I')) == len(data) - 4


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: type(m).__name__)
def test_no_shorter_one_is_handed_to_the_middleware(message, monkeypatch):
    data = serialize_message(message)
    monkeypatch.setattr(serialized, 'deserialize_message', lambda *_: pytest.fail('it was deserialized'))
    for size in {0, 1, 3, 4, 5, *range(8, len(data) - 1, max(1, len(data) // 50)), len(data) - 1}:
        assert refused(data[:size], type(message)).reason in ('undecodable', 'long_text', 'too_large')


def test_other_bytes_are_refused():
    assert refused(b'\xff' * 300, InstanceFeatureArray).reason == 'undecodable'
    assert refused(b'\0\1\0\0' + b'\xff' * 300, InstanceFeatureArray).reason == 'long_text'


@pytest.mark.parametrize(('name', 'bound'), [('unit_id', 64), ('model_id', 64), ('map_frame', 64)])
def test_texts_are_as_long_as_their_type_allows(name, bound):
    data = serialize_message(features(**{name: 'a' * bound}))
    assert getattr(read_message(data, InstanceFeatureArray), name) == 'a' * bound
    longer = data.replace(struct.pack('<I', bound + 1) + b'a' * bound + b'\0',
                          struct.pack('<I', bound + 5) + b'a' * (bound + 4) + b'\0')
    assert longer != data
    error = refused(longer, InstanceFeatureArray)
    assert error.reason == 'long_text' and name in str(error) and str(bound) in str(error)


def test_a_frame_of_40_megabytes_is_refused_unread(monkeypatch):
    monkeypatch.setattr(serialized, 'deserialize_message', lambda *_: pytest.fail('it was deserialized'))
    for kind in (Odometry, Calibration, PairTransform):
        data = serialize_message(kind(header=Header(frame_id='x' * 40_000_000)))
        error = refused(data, kind)
        assert error.reason == 'long_text' and '40000000' in str(error) and str(MAX_TEXT) in str(error)


def test_a_message_larger_than_its_limits_is_refused_unread():
    data = serialize_message(features(semantic=array('B', bytes(1000))))
    assert refused(data, InstanceFeatureArray, max_bytes=1000).reason == 'too_large'


def test_the_largest_message_that_limits_allow_is_read():
    limits = FeatureLimits(max_instances=3, max_feature_dim=96)
    assert read_message(serialize_message(features()), InstanceFeatureArray, limits.max_bytes)
    many = features(semantic=array('B', bytes(3 * 96 * 4 * 3 + 5000)))
    assert refused(serialize_message(many), InstanceFeatureArray, max_bytes=limits.max_bytes).reason == 'too_large'


def test_arrays_are_as_long_as_their_type_allows():
    data = serialize_message(Latency(stages=['a'] * 32))
    assert refused(data.replace(struct.pack('<I', 32), struct.pack('<I', 33), 1), Latency).reason == 'too_large'


def test_texts_of_a_message_that_was_read_are_checked_as_well():
    check_texts(Image(encoding='bgr8'))
    for message in (Image(encoding='x' * 300), Image(header=Header(frame_id='x' * 300))):
        with pytest.raises(WireError) as caught:
            check_texts(message)
        assert caught.value.reason == 'long_text'


@pytest.mark.parametrize('kind', [Odometry, InstanceFeatureArray])
def test_message_classes_are_found_by_their_name(kind):
    assert kind_of(kind_name(kind)) is kind


@pytest.mark.parametrize('name', ['', 'os/msg/path', 'nav_msgs/msg/Nothing', 'nav_msgs/srv/GetMap', 'a;b/msg/C',
                                  'sys/msg/../x', 'nav_msgs/msg/a.b'])
def test_other_names_of_types_are_refused_by_name(name):
    with pytest.raises(UserError, match='installed'):
        kind_of(name)


def test_numbers_stay_what_they_were():
    message = features()
    again = read_message(serialize_message(message), InstanceFeatureArray)
    np.testing.assert_array_equal(again.boxes, message.boxes)
