"""Point clouds from messages and back."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from ..common.errors import WireError
from ..sensors.point_clouds import xyz_intensity
from .arrays import to_field

MAX_BYTES = 64 * 2**20
"""Of the points of a message: two million with eight numbers each."""
_KINDS = {PointField.INT8: 'i1', PointField.UINT8: 'u1', PointField.INT16: 'i2', PointField.UINT16: 'u2',
          PointField.INT32: 'i4', PointField.UINT32: 'u4', PointField.FLOAT32: 'f4', PointField.FLOAT64: 'f8'}
_NAMES = ('x', 'y', 'z', 'intensity')


def encode_point_cloud(points: np.ndarray, header: Header) -> PointCloud2:
    """Return points (N, 4) as x, y, z, intensity (0..1), float32."""
    fields = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
              for i, name in enumerate(_NAMES)]
    return PointCloud2(header=header, height=1, width=len(points), fields=fields, point_step=16,
                       row_step=16 * len(points), is_dense=True, data=to_field(_bytes_of(points), 'B'))


def _bytes_of(points: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(points, '<f4').view(np.uint8)


def decode_point_cloud(message: PointCloud2, scale: int = 1) -> np.ndarray:
    """
    Return the points of any driver: fields in any order and type, padding, rows, both byte orders.

    :param scale: of the kind of sensor, see ``sensors.point_clouds.xyz_intensity``, which says what is returned.
    :raises WireError: for a message whose lengths do not fit, or without coordinates.
    """
    rows, columns, step = message.height, message.width, message.point_step
    row_step = check_bytes(message)
    dtype = _point_type(message)
    if not rows * columns:
        return np.zeros((0, 4), np.float32)
    needed = (rows - 1) * row_step + columns * step
    if row_step < columns * step or len(message.data) < needed:
        raise WireError('wrong_length', f'{len(message.data)} bytes in rows of {row_step} cannot hold {rows} x '
                        f'{columns} points of {step} bytes')
    points = np.ndarray((rows, columns), dtype, np.frombuffer(message.data, np.uint8), strides=(row_step, step))
    try:
        return xyz_intensity(points.reshape(-1), scale)
    except ValueError as error:
        raise WireError('implausible', f'a cloud with {error}') from error


def check_bytes(message: PointCloud2) -> int:
    """
    Return the length of a row.

    :raises WireError: for a cloud of too many bytes, claimed or there.
    """
    rows, columns, step = message.height, message.width, message.point_step
    # Of a single row some drivers leave the length out.
    row_step = columns * step if rows <= 1 else message.row_step
    if max(rows * max(row_step, columns * step), len(message.data)) > MAX_BYTES:
        raise WireError('too_large', f'a cloud of {rows} x {columns} points of {step} bytes, expected at most '
                        f'{MAX_BYTES} bytes')
    return row_step


def _point_type(message: PointCloud2) -> np.dtype:
    """Return the type of a point; of fields with one name the first counts."""
    order, fields = '>' if message.is_bigendian else '<', {}
    for field in message.fields:
        if field.datatype not in _KINDS:
            raise WireError('implausible', f"field '{field.name[:64]}' of a cloud has the unknown datatype "
                            f'{field.datatype}')
        kind = np.dtype(f'{order}{_KINDS[field.datatype]}')
        if field.offset + max(field.count, 1) * kind.itemsize > message.point_step:
            raise WireError('wrong_length', f"field '{field.name[:64]}' of a cloud ends behind its point of "
                            f'{message.point_step} bytes')
        fields.setdefault(field.name, ((kind, (field.count,)) if field.count > 1 else kind, field.offset))
    formats, offsets = zip(*fields.values()) if fields else ((), ())
    return np.dtype({'names': list(fields), 'formats': list(formats), 'offsets': list(offsets),
                     'itemsize': message.point_step})
