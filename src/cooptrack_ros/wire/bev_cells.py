"""Cells of BEV features as a message, for measuring what they take on the wire: no node sends any."""

from __future__ import annotations

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from ..cooperation.bev_cells import BevCells
from .arrays import to_field
from .features import FeatureMeta


def encode_cells(cells: BevCells, header: Header) -> PointCloud2:
    """Return a cloud with a point for each cell: its number in the grid, uint32, and C features, float32."""
    points = np.zeros(len(cells), _cell_type(cells.features.shape[1]))
    points['cell'], points['features'] = cells.index, cells.features
    step = points.dtype.itemsize
    fields = [PointField(name='cell', offset=0, datatype=PointField.UINT32, count=1),
              PointField(name='features', offset=4, datatype=PointField.FLOAT32, count=cells.features.shape[1])]
    return PointCloud2(header=header, height=1, width=len(cells), fields=fields, point_step=step,
                       row_step=step * len(cells), is_dense=True, data=to_field(points.view(np.uint8), 'B'))


def decode_cells(message: PointCloud2, size: tuple[int, int]) -> BevCells:
    """Return what ``encode_cells`` was given; :param size: of the grid, which the message does not name."""
    points = np.frombuffer(message.data, _cell_type(message.fields[1].count))
    return BevCells(size, points['cell'].astype(np.int64), points['features'].copy())


def _cell_type(width: int) -> np.dtype:
    return np.dtype([('cell', '<u4'), ('features', '<f4', (width,))])


def send_cells(cells: BevCells) -> tuple[BevCells, int]:
    """Return what a receiver gets of cells, and the bytes of the message."""
    data = serialize_message(encode_cells(cells, Header(frame_id=FeatureMeta.example().lidar_frame)))
    return decode_cells(deserialize_message(data, PointCloud2), cells.size), len(data)
