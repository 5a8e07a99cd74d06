"""Feature messages: any field, any length, any bytes on the wire."""

from __future__ import annotations

from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source
from .tree import drawn_message

MODULES = (
    'cooptrack_ros.wire.features', 'cooptrack_ros.wire.arrays', 'cooptrack_ros.common.geometry')
_WIDTH = 4


def messages() -> list:
    """Return good messages of every encoding, one without features and one without instances."""
    import numpy as np

    from cooptrack_ros.common.types import Boxes, InstanceSet
    from cooptrack_ros.wire.features import ENCODINGS, FeatureMeta, encode_instances

    def instances(count: int, width: int) -> InstanceSet:
        rows = np.arange(count, dtype=np.float64)
        boxes = Boxes(np.stack([rows, -rows, 0 * rows], 1), np.full((count, 3), 2.0), rows, np.full((count, 2), 3.0),
                      np.zeros(count, np.int64), np.full(count, 0.5), np.arange(count))
        features = [np.full((count, width), value, np.float32) for value in (0.1, -2.0, 7.0)]
        points = np.full((count, 3), 0.25, np.float32)
        return InstanceSet(boxes, points, *features, points, np.zeros(count, np.float32), points)

    def message(count: int, width: int, encoding: str):
        meta = FeatureMeta('rsu_1', 1, 1, '0' * 16, 1_700_000_000_000_000_000, 'lidar', 'map', encoding=encoding)
        return encode_instances(instances(count, width), meta)
    made = [message(3, _WIDTH, name) for name in ENCODINGS] + [message(2, 0, 'float16'), message(0, _WIDTH, 'int8')]
    made[1].has_exact_pose = False
    return made


def check(instances, meta) -> None:
    """Check what every accepted message must keep, whatever it was made from."""
    import numpy as np

    from cooptrack_ros.wire.features import plausible
    assert plausible(instances).all()
    assert np.isfinite(meta.map_from_lidar).all()
    assert len({len(part) for part in (instances.boxes, instances.ref_points, instances.semantic, instances.motion,
                                       instances.position_embedding, instances.previous_age_s)}) == 1


def prepare(folder: Path) -> Run:
    """Import the codec and make good messages."""
    from rclpy.serialization import serialize_message

    from cooptrack_msgs.msg import InstanceFeatureArray
    from cooptrack_ros.common.errors import WireError
    from cooptrack_ros.wire.features import decode_instances
    serialized = [serialize_message(message) for message in messages()]

    def run(data: bytes) -> bool:
        source = Source(data)
        good = serialized[source.below(len(serialized))]
        try:
            instances, meta = decode_instances(drawn_message(source, good, InstanceFeatureArray))
        except WireError:
            return False
        check(instances, meta)
        return True
    return run


ENTRY = Entry('codec', MODULES, prepare, plain_seeds, 160)
