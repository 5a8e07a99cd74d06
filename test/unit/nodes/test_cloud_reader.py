"""Point clouds of drivers and of those who mean harm: each is read, moved to its frame, or refused with a reason."""

from array import array

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header
from support.ros_world import START_NS, stamp

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.geometry import make_pose
from cooptrack_ros.common.types import Side
from cooptrack_ros.nodes.inputs.cloud_reader import CloudPlace, CloudReader
from cooptrack_ros.nodes.settings import EgoSettings
from cooptrack_ros.wire.point_clouds import encode_point_cloud

POINTS = np.array([[10, 1, 0, 0.5], [20, -2, 1, 1.0]], np.float32)


def message(at_ns=START_NS, points=POINTS, frame='ego/lidar') -> PointCloud2:
    return encode_point_cloud(points, Header(stamp=stamp(at_ns), frame_id=frame))


def no_transform(frame, at_ns):
    raise WireError('wrong_frame', f'no transform from {frame}')


def place(transform=no_transform, moved=lambda at_ns: np.eye(4)) -> CloudPlace:
    return CloudPlace(START_NS, 'ego/lidar', transform, moved)


def read(*messages, where=None, side=Side.VEHICLE, **settings):
    reader = CloudReader(EgoSettings(lidar__enabled=True, **settings), side)
    for one in messages:
        reader.add(one)
    return reader.points(reader.nearest(START_NS)[1], where or place())


def refusal(*messages, where=None):
    with pytest.raises(WireError) as error:
        read(*messages, where=where)
    return error.value.reason, str(error.value)


def changed(**fields) -> PointCloud2:
    made = message()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_a_cloud_of_the_time_and_frame_of_the_network_is_taken_as_it_is():
    np.testing.assert_array_equal(read(message()), POINTS)
    np.testing.assert_array_equal(read(message(frame='')), POINTS)


def test_a_missing_and_a_late_cloud_are_named():
    assert refusal() == ('missing_cloud', 'no point cloud within 50 ms of the frame: none came')
    reason, text = refusal(message(START_NS - 200_000_000))
    assert reason == 'missing_cloud' and 'the nearest is 0.200 s behind' in text
    assert len(read(message(START_NS - 200_000_000), lidar__max_age=0.25)) == 2


def test_an_empty_cloud_and_one_of_nan_are_refused_and_single_nan_are_left_out():
    assert refusal(message(points=POINTS[:0]))[0] == 'empty_cloud'
    nan = np.full((5, 4), np.nan, np.float32)
    assert refusal(message(points=nan)) == ('empty_cloud', 'none of the 5 points of the cloud has finite coordinates')
    np.testing.assert_array_equal(read(message(points=np.concatenate([nan, POINTS]))), POINTS)


def test_huge_clouds_are_refused_before_they_are_unpacked():
    claimed = changed(height=60_000, width=60_000)
    assert refusal(claimed)[0] == 'too_large'
    assert refusal(changed(data=array('B', bytes(64 * 2 ** 20 + 1))))[0] == 'too_large'
    many = message(points=np.zeros((1_000_001, 4), np.float32))
    assert refusal(many) == ('too_large', 'a cloud of 1000001 points, expected at most 1000000')


@pytest.mark.parametrize(('fields', 'reason'), [
    ({'data': array('B', bytes(5))}, 'wrong_length'), ({'point_step': 0}, 'wrong_length'),
    ({'fields': []}, 'implausible'),
    ({'fields': [PointField(name='x', datatype=99, count=1)]}, 'implausible'),
    ({'header': Header(frame_id='ego/lidar')}, 'no_stamp')])
def test_broken_clouds_are_refused(fields, reason):
    assert refusal(changed(**fields))[0] == reason


def test_a_second_cloud_of_one_stamp_is_refused():
    assert refusal(message(), message(points=POINTS + 1))[0] == 'duplicate'


def test_a_cloud_of_another_frame_is_moved_by_the_transform_at_its_stamp():
    asked = []

    def transform(frame, at_ns):
        asked.append((frame, at_ns))
        return make_pose(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]]), np.array([1.0, 2, 3]))
    found = read(message(START_NS - 10_000_000, frame='top'), where=place(transform))
    np.testing.assert_allclose(found, [[0, 12, 3, 0.5], [3, 22, 4, 1.0]], atol=1e-6)
    assert asked == [('top', START_NS - 10_000_000)]
    assert refusal(message(frame='top'))[0] == 'wrong_frame'


def test_what_the_vehicle_drove_between_the_stamps_is_taken_out():
    """At 10 m/s the lidar stood 0.5 m behind 50 ms before: what it saw there is that much nearer now."""
    def moved(at_ns):
        return make_pose(np.eye(3), np.array([(at_ns - START_NS) / 1e9 * 10, 0, 0]))
    found = read(message(START_NS - 50_000_000), where=place(moved=moved))
    np.testing.assert_allclose(found[:, :3], POINTS[:, :3] - [0.5, 0, 0], atol=1e-5)


def test_intensities_follow_the_kind_of_sensor_and_the_parameter():
    ones = np.array([[10, 0, 0, 1.0]], np.float32)
    assert read(message(points=ones))[0, 3] == pytest.approx(1 / 255)
    assert read(message(points=ones), side=Side.ROADSIDE)[0, 3] == 1
    assert read(message(points=ones), lidar__intensity_scale=4)[0, 3] == 0.25
