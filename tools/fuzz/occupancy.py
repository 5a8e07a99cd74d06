"""Messages with voxels, those of vehicles and those of units: any field, any length, any bytes on the wire."""

from __future__ import annotations

from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source
from .tree import drawn_message

MODULES = ('cooptrack_ros.wire.occupancy', 'cooptrack_ros.wire.arrays', 'cooptrack_ros.occupancy.runs')


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


def prepare(folder: Path) -> Run:
    """Import the codec and make good messages."""
    import numpy as np
    from rclpy.serialization import serialize_message

    from cooptrack_msgs.msg import PanopticOccupancy
    from cooptrack_ros.common.errors import WireError
    from cooptrack_ros.wire.occupancy import MAX_ROADSIDE_BYTES, decode_occupancy, decode_roadside
    serialized = [(serialize_message(message), type(message)) for message in messages()]

    def run(data: bytes) -> bool:
        source = Source(data)
        good, kind = serialized[source.below(len(serialized))]
        try:
            message = drawn_message(source, good, kind, MAX_ROADSIDE_BYTES)
            voxels, _ = decode_occupancy(message) if kind is PanopticOccupancy else decode_roadside(message, 'mini')
        except WireError:
            return False
        assert len(voxels.index) == len(voxels.semantics) == len(voxels.instances)
        assert (np.diff(voxels.index) > 0).all()
        assert (voxels.instances >= 0).all()
        return True
    return run


ENTRY = Entry('occupancy', MODULES, prepare, plain_seeds, 160)
