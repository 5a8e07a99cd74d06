"""The stand-in for sensor_msgs_py.point_cloud2."""

import struct

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header

XYZ = np.array([[1, 2, 3], [4, np.nan, 6], [7, 8, 9]], np.float32)


def field(name, offset, datatype, count=1):
    """Return a field."""
    return PointField(name=name, offset=offset, datatype=datatype, count=count)


def test_xyz_clouds_have_the_bytes_of_the_points():
    cloud = point_cloud2.create_cloud_xyz32(Header(frame_id='lidar'), XYZ)
    assert (cloud.header.frame_id, cloud.width, cloud.height) == ('lidar', 3, 1)
    assert (cloud.point_step, cloud.row_step) == (12, 36)
    assert bytes(cloud.data) == XYZ.tobytes() and not cloud.is_dense
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud), XYZ)
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud, ['z', 'x']), XYZ[:, [2, 0]])


def test_points_with_nan_are_left_out_when_asked():
    cloud = point_cloud2.create_cloud_xyz32(Header(), XYZ.tolist())
    assert point_cloud2.read_points(cloud, skip_nans=True).tolist() == [(1, 2, 3), (7, 8, 9)]
    assert len(point_cloud2.read_points(cloud, ['x', 'z'], skip_nans=True)) == 3
    assert point_cloud2.read_points(cloud, ['x'], uvs=[2, 0]).tolist() == [(7,), (1,)]


def test_mixed_types_with_padding_follow_the_offsets():
    fields = [field('t', 8, PointField.FLOAT64), field('i', 0, PointField.UINT16), field('n', 2, PointField.UINT8, 2)]
    cloud = point_cloud2.create_cloud(Header(), fields, [(0.5, 300, 1, 2), (1.5, 400, 3, 4)], step=20)
    assert cloud.point_step == 20 and len(cloud.data) == 40
    assert struct.unpack_from('<HBB4xd', bytes(cloud.data), 20) == (400, 3, 4, 1.5)
    points = point_cloud2.read_points(cloud)
    assert points.dtype.names == ('t', 'i', 'n_0', 'n_1') and points.tolist() == [(0.5, 300, 1, 2), (1.5, 400, 3, 4)]
    with pytest.raises(AssertionError, match='same datatype'):
        point_cloud2.read_points_numpy(cloud)
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud, ['n_0', 'n_1']), [[1, 2], [3, 4]])


def test_big_endian_clouds_are_read():
    cloud = PointCloud2(height=1, width=1, fields=[field('x', 0, PointField.FLOAT32)], point_step=4, row_step=4,
                        is_bigendian=True, data=struct.pack('>f', 1.5))
    assert point_cloud2.read_points(cloud)['x'].tolist() == [1.5]


def test_organized_clouds_keep_their_shape_when_asked():
    points = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    cloud = point_cloud2.create_cloud_xyz32(Header(), points)
    assert (cloud.height, cloud.width, cloud.row_step) == (2, 4, 48)
    assert point_cloud2.read_points_numpy(cloud).shape == (8, 3)
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud, reshape_organized_cloud=True), points)


def test_empty_clouds_and_unknown_fields():
    cloud = point_cloud2.create_cloud_xyz32(Header(), [])
    assert cloud.width == 0 and point_cloud2.read_points_numpy(cloud).shape == (0, 3)
    with pytest.raises(AssertionError, match='intensity'):
        point_cloud2.read_points(cloud, ['intensity'])
