"""
Stand-in for ``sensor_msgs_py.point_cloud2``, for machines where it is missing.

Left out: ``read_points_list``, ``dtype_from_fields`` as a public name, and padding at the end of a row (a cloud with
``row_step != width * point_step`` is refused). Problems raise AssertionError, as in the real module.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Iterable

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured, unstructured_to_structured
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

__all__ = ['create_cloud', 'create_cloud_xyz32', 'read_points', 'read_points_numpy']

_TYPES = {
    PointField.INT8: np.int8, PointField.UINT8: np.uint8, PointField.INT16: np.int16, PointField.UINT16: np.uint16,
    PointField.INT32: np.int32, PointField.UINT32: np.uint32, PointField.FLOAT32: np.float32,
    PointField.FLOAT64: np.float64,
}


def read_points(cloud: PointCloud2, field_names: Iterable[str] | None = None, skip_nans: bool = False,
                uvs: Iterable[int] | None = None, reshape_organized_cloud: bool = False) -> np.ndarray:
    """
    Return the points as a structured array, one name per field.

    :param skip_nans: leave out points with a NaN in a chosen field, unless the cloud says that it is dense.
    :param uvs: indices of the points to return.
    :param reshape_organized_cloud: return shape (height, width) if the height exceeds 1.
    """
    assert isinstance(cloud, PointCloud2), 'Cloud is not a sensor_msgs.msg.PointCloud2'
    assert cloud.row_step == cloud.width * cloud.point_step, 'rows with padding are not supported here'
    points = np.ndarray(cloud.width * cloud.height, _dtype(cloud.fields, cloud.point_step), bytes(cloud.data))
    if field_names is not None:
        names = list(field_names)
        missing = set(names) - set(points.dtype.names)
        assert not missing, f'Requested field is not in the fields of the PointCloud: {sorted(missing)}'
        points = points[names]
    # bytes() is read-only and shares nothing with the message: the caller gets an array of its own.
    points = points.byteswap() if cloud.is_bigendian != (sys.byteorder != 'little') else points.copy()
    if skip_nans and not cloud.is_dense:
        points = points[~np.any([np.isnan(points[name]) for name in points.dtype.names], axis=0)]
    if uvs is not None:
        points = points[uvs if isinstance(uvs, np.ndarray) else np.fromiter(uvs, int)]
    if reshape_organized_cloud and cloud.height > 1:
        points = points.reshape(cloud.height, cloud.width)
    return points


def read_points_numpy(cloud: PointCloud2, field_names: Iterable[str] | None = None, skip_nans: bool = False,
                      uvs: Iterable[int] | None = None, reshape_organized_cloud: bool = False) -> np.ndarray:
    """Return the points as a plain array (points, fields); all chosen fields must have one type."""
    points = read_points(cloud, field_names, skip_nans, uvs, reshape_organized_cloud)
    types = {points.dtype[name] for name in points.dtype.names}
    assert len(types) == 1, 'All fields need to have the same datatype. Use `read_points()` otherwise.'
    return structured_to_unstructured(points)


def create_cloud(header: Header, fields: Iterable[PointField], points: Iterable,
                 step: int | None = None) -> PointCloud2:
    """
    Return a cloud from points.

    :param points: structured array of exactly these fields, plain array (..., fields), or an iterable of tuples;
        two dimensions of points make an organized cloud.
    :param step: bytes per point, if there is padding at its end.
    """
    fields = list(fields)
    dtype = _dtype(fields, step)
    if not isinstance(points, np.ndarray):
        points = np.array([tuple(point) for point in points], dtype)
    elif points.dtype.names is None:
        assert len({field.datatype for field in fields}) == 1, 'a plain array needs fields of one datatype'
        points = unstructured_to_structured(points, dtype)
    assert points.dtype == dtype, 'PointFields and structured NumPy array dtype do not match for all fields!'
    assert points.ndim in (1, 2), f'points have shape {points.shape}; organized clouds have two dimensions at most'
    width = points.shape[-1]
    cloud = PointCloud2(header=header, height=points.shape[0] if points.ndim == 2 else 1, width=width, fields=fields,
                        is_dense=False, is_bigendian=sys.byteorder != 'little', point_step=dtype.itemsize,
                        row_step=dtype.itemsize * width)
    cloud.data = array.array('B', points.tobytes())
    return cloud


def create_cloud_xyz32(header: Header, points: Iterable, step: int | None = None) -> PointCloud2:
    """Return a cloud with the float32 fields x, y and z."""
    fields = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
              for i, name in enumerate('xyz')]
    return create_cloud(header, fields, points, step)


def _dtype(fields: Iterable[PointField], step: int | None) -> np.dtype:
    """Return the structured type; a field with count n becomes the names NAME_0 to NAME_(n-1)."""
    names, formats, offsets = [], [], []
    for i, field in enumerate(fields):
        name, element = field.name or f'unnamed_field_{i}', np.dtype(_TYPES[field.datatype])
        assert field.count > 0, f"field '{name}' has count 0"
        for j in range(field.count):
            names.append(name if field.count == 1 else f'{name}_{j}')
            formats.append(element)
            offsets.append(field.offset + j * element.itemsize)
    assert len(set(names)) == len(names), f'Duplicate field names are not allowed: {names}'
    layout = {'names': names, 'formats': formats, 'offsets': offsets}
    return np.dtype(layout if step is None else {**layout, 'itemsize': step})
