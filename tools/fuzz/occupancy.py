"""Messages with voxels, those of vehicles and those of units: any field, any length, any bytes on the wire."""

from __future__ import annotations

from array import array
from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source

MODULES = ('cooptrack_ros.wire.occupancy', 'cooptrack_ros.wire.arrays', 'cooptrack_ros.occupancy.runs')
_SCALARS = {'version': 8, 'count': 32, 'free_class': 8, 'session': 64, 'sequence': 64}
_BYTES = {'B': 1, 'H': 2, 'I': 4, 'Q': 8}
_MOST = 64


def messages() -> list:
    """Return good messages of both kinds, with and without voxels."""
    import numpy as np

    from cooptrack_ros.occupancy.grids import GRIDS
    from cooptrack_ros.occupancy.sparse import Occupied
    from cooptrack_ros.occupancy.taxonomy import V2X
    from cooptrack_ros.wire.occupancy import OccupancyMeta, RoadsideMeta, encode_occupancy, encode_roadside
    made = []
    for count in (6, 0):
        rows = np.arange(count)
        voxels = Occupied(1000 * rows, (rows % 5).astype(np.uint8), np.where(rows % 5 == 1, 7 + rows, 0))
        made.append(encode_occupancy(voxels, OccupancyMeta(10**18, 'lidar', GRIDS['mini'].vehicle, V2X)))
        made.append(encode_roadside(voxels, RoadsideMeta('rsu_1', 1, 1, 10**18, 'lidar', 'mini')))
    return made


def spoil(message, source: Source) -> None:
    """Change a field of a message in place."""
    names = [name.lstrip('_') for name in message.__slots__]
    name = names[source.below(len(names))]
    value = getattr(message, name, None)
    if name in _SCALARS:
        setattr(message, name, source.integer(_SCALARS[name]))
    elif isinstance(value, array):
        changed = array(value.typecode, value)
        if source.below(2) and changed:
            changed[source.below(len(changed))] = source.integer(8 * _BYTES[value.typecode])
        elif source.below(2):
            changed = changed[:source.below(len(changed) + 1)]
        else:
            size = _BYTES[value.typecode] * source.below(_MOST)
            changed.frombytes(source.take(size).ljust(size, b'\0'))
        setattr(message, name, changed)
    elif name in ('origin', 'voxel_size'):
        value[source.below(3)] = source.real()
    elif name == 'size':
        value[source.below(3)] = source.integer(16)
    elif name == 'class_names':
        message.class_names = value[:source.below(len(value) + 1)]
    elif name == 'header':
        message.header.stamp.nanosec = source.integer(32)
    elif isinstance(value, str):
        setattr(message, name, source.text()[:16])


def prepare(folder: Path) -> Run:
    """Import the codec and make good messages."""
    import numpy as np
    from rclpy.serialization import serialize_message

    from cooptrack_msgs.msg import PanopticOccupancy
    from cooptrack_ros.common.errors import WireError
    from cooptrack_ros.wire.occupancy import MAX_ROADSIDE_BYTES, decode_occupancy, decode_roadside
    from cooptrack_ros.wire.serialized import read_message
    serialized = [(serialize_message(message), type(message)) for message in messages()]

    def run(data: bytes) -> bool:
        source = Source(data)
        good, kind = serialized[source.below(len(serialized))]
        try:
            if source.below(4):
                message = read_message(good, kind)
                for _ in range(source.below(3) + 1):
                    spoil(message, source)
            else:
                message = read_message(source.changed(good) if source.below(4) else source.rest(), kind,
                                       MAX_ROADSIDE_BYTES)
            voxels, _ = decode_occupancy(message) if kind is PanopticOccupancy else decode_roadside(message, 'mini')
        except WireError:
            return False
        assert len(voxels.index) == len(voxels.semantics) == len(voxels.instances)
        assert (np.diff(voxels.index) > 0).all()
        assert (voxels.instances >= 0).all()
        return True
    return run


ENTRY = Entry('occupancy', MODULES, prepare, plain_seeds, 160)
