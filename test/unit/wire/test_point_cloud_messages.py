"""PointCloud2 of any driver, and what is none."""

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.point_clouds import MAX_BYTES, decode_point_cloud, encode_point_cloud

POINTS = np.array([[1, 2, 3, 0.25], [4, 5, 6, 1], [7, 8, 9, 0]], np.float32)
VELODYNE = np.dtype({'names': ['x', 'y', 'z', 'intensity', 'ring', 'time'],
                     'formats': ['<f4', '<f4', '<f4', '<f4', '<u2', '<f4'], 'offsets': [0, 4, 8, 16, 20, 24],
                     'itemsize': 32})
DATATYPES = {'<f4': PointField.FLOAT32, '>f4': PointField.FLOAT32, '<f8': PointField.FLOAT64, '|u1': PointField.UINT8,
             '<u2': PointField.UINT16}


def message(points, rows=1, gap=0, **changes):
    """Return a cloud of structured points as a driver would send it, with bytes between its rows."""
    dtype = points.dtype
    fields = [PointField(name=n, offset=dtype.fields[n][1], datatype=DATATYPES[dtype[n].str], count=1)
              for n in dtype.names]
    width = len(points) // rows
    data = b''.join(points[i * width:(i + 1) * width].tobytes() + bytes(gap) for i in range(rows))
    return PointCloud2(**{'height': rows, 'width': width, 'fields': fields, 'point_step': dtype.itemsize,
                          'row_step': width * dtype.itemsize + gap, 'data': list(data)} | changes)


def driver_points(dtype=VELODYNE, scale=1):
    points = np.zeros(3, dtype)
    for i, name in enumerate(('x', 'y', 'z', 'intensity')):
        points[name] = POINTS[:, i] * (scale if name == 'intensity' else 1)
    return points


def test_there_and_back_also_for_an_empty_cloud():
    cloud = encode_point_cloud(POINTS, Header(frame_id='lidar'))
    assert cloud.header.frame_id == 'lidar' and cloud.width == 3
    np.testing.assert_array_equal(decode_point_cloud(cloud), POINTS)
    assert decode_point_cloud(encode_point_cloud(POINTS[:0], Header())).shape == (0, 4)
    assert decode_point_cloud(PointCloud2()).shape == (0, 4)


@pytest.mark.parametrize('cloud', [
    message(driver_points()), message(driver_points(), rows=3, gap=12), message(driver_points(), row_step=0),
    message(driver_points(np.dtype([(n, '<f4') for n in ('intensity', 'z', 'y', 'x')]))),
    message(driver_points(np.dtype([(n, '>f4') for n in ('x', 'y', 'z', 'intensity')])), is_bigendian=True),
    message(driver_points(np.dtype([('x', '<f8'), ('y', '<f8'), ('z', '<f8'), ('intensity', '|u1')]), 255)),
    message(driver_points(np.dtype([(n, '<f4') for n in ('x', 'y', 'z')] + [('intensity', '<u2')]), 65535)),
], ids=['padding', 'rows', 'no_row_step', 'order', 'big_endian', 'doubles', 'u16'])
def test_the_layouts_of_usual_drivers_give_the_same_points(cloud):
    np.testing.assert_allclose(decode_point_cloud(cloud), POINTS, atol=3e-3)


def test_missing_intensity_is_zero_and_points_that_are_none_are_left_out():
    points = driver_points()[['x', 'y', 'z']]
    points['y'][1] = np.nan
    np.testing.assert_array_equal(decode_point_cloud(message(points)), POINTS[[0, 2]] * [1, 1, 1, 0])


def test_the_kind_of_the_sensor_decides_where_the_numbers_do_not():
    points = driver_points()
    points['intensity'] = [0, 1, 1]
    assert decode_point_cloud(message(points), 255)[:, 3].max() == pytest.approx(1 / 255)


@pytest.mark.parametrize(('cloud', 'reason'), [
    (message(driver_points(), data=[0] * 95), 'wrong_length'),
    (message(driver_points(), rows=3, row_step=31), 'wrong_length'),
    (message(driver_points(), point_step=20), 'wrong_length'),
    (message(driver_points(), height=2**31, width=2**31), 'too_large'),
    (message(driver_points(), rows=3, row_step=MAX_BYTES), 'too_large'),
    (message(driver_points()[['x', 'z']]), 'implausible'),
    (PointCloud2(height=1, width=1, point_step=4, data=[0] * 4,
                 fields=[PointField(name='x', offset=0, datatype=77, count=1)]), 'implausible'),
    (PointCloud2(height=1, width=1, point_step=8, data=[0] * 8,
                 fields=[PointField(name='x', offset=0, datatype=7, count=2**31)]), 'wrong_length')])
def test_what_is_no_cloud_is_refused_with_a_reason(cloud, reason):
    with pytest.raises(WireError) as raised:
        decode_point_cloud(cloud)
    assert raised.value.reason == reason and len(str(raised.value)) < 200
