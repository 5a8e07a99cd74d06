"""Voxels as ``sensor_msgs/PointCloud2``, for viewers and for those who work with point clouds."""

from __future__ import annotations

import array
from functools import cache

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField

from ..common.colours import Colour, identity_colour
from ..cooperation.voxels.identities import UNIT_FIRST_ID
from ..occupancy.sparse import Occupied, numbered
from .arrays import header_of
from .occupancy import OccupancyMeta

_POINT = np.dtype({'names': ['x', 'y', 'z', 'rgb', 'label', 'instance'],
                   'formats': ['<f4', '<f4', '<f4', '<u4', 'u1', '<u2'], 'offsets': [0, 4, 8, 12, 16, 18],
                   'itemsize': 20})
_KINDS = (*[PointField.FLOAT32] * 4, PointField.UINT8, PointField.UINT16)
"""Colours are whole numbers in the bytes of a float, as point cloud libraries have it."""
_CLASS_COLOURS: dict[str, Colour] = {
    'ground': (0.35, 0.35, 0.38), 'road': (0.35, 0.35, 0.38), 'walkable': (0.5, 0.45, 0.5),
    'vegetation': (0.25, 0.45, 0.2), 'tree trunk': (0.4, 0.3, 0.2), 'building': (0.62, 0.6, 0.55)}
_OTHER_COLOUR: Colour = (0.62, 0.6, 0.55)
_NUMBERS = 1 << 15


def encode_points(voxels: Occupied, meta: OccupancyMeta) -> PointCloud2:
    """
    Return the centres of occupied voxels, coloured by class, voxels of things by identity.

    ``label`` is the class; ``instance`` the identity, those of things that only units know from 32768 on; both start
    again where 15 bits end.
    """
    points = np.zeros(len(voxels), _POINT)
    centres = meta.grid.centres(np.stack(np.unravel_index(voxels.index, meta.grid.shape), -1))
    points['x'], points['y'], points['z'] = centres.T
    points['label'] = voxels.semantics
    points['instance'] = voxels.instances % _NUMBERS + _NUMBERS * (voxels.instances >= UNIT_FIRST_ID)
    points['rgb'] = _colours(voxels, meta)
    fields = [PointField(name=name, offset=_POINT.fields[name][1], datatype=kind, count=1)
              for name, kind in zip(_POINT.names, _KINDS)]
    return PointCloud2(
        header=header_of(meta.stamp_ns, meta.lidar_frame), height=1, width=len(points), fields=fields,
        is_bigendian=False, point_step=_POINT.itemsize, row_step=_POINT.itemsize * len(points),
        data=array.array('B', points.tobytes()), is_dense=True)


def _colours(voxels: Occupied, meta: OccupancyMeta) -> np.ndarray:
    """Return 0xRRGGBB (V,)."""
    by_class = np.array([_number(_CLASS_COLOURS.get(name, _OTHER_COLOUR)) for name in meta.taxonomy.classes], np.uint32)
    ids, of_each = numbered(voxels.instances)
    by_identity = np.array([_number(identity_colour(i)) for i in ids.tolist()], np.uint32)
    if not len(ids):
        return np.zeros(0, np.uint32)
    return np.where(voxels.instances != 0, by_identity[of_each], by_class[voxels.semantics])


@cache
def _number(colour: Colour) -> int:
    red, green, blue = (round(255 * part) for part in colour)
    return red << 16 | green << 8 | blue
