"""Feature messages: any field, any length, any bytes on the wire."""

from __future__ import annotations

from array import array
from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source

MODULES = (
    'cooptrack_ros.wire.features', 'cooptrack_ros.wire.arrays', 'cooptrack_ros.common.geometry')
_WIDTH = 4
_SCALARS = {'version': 8, 'count': 32, 'feature_dim': 32, 'session': 64, 'sequence': 64, 'encoding': 8}
_BYTES = {'f': 4, 'I': 4, 'B': 1}


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


class Spoiler:
    """Changes fields of a good message and puts them back."""

    def __init__(self, message):
        """Take a good message, which is changed in place."""
        self.message = message
        self._saved: dict[str, object] = {}
        self._arrays = {name.lstrip('_'): getattr(message, name).typecode for name in message.__slots__
                        if isinstance(getattr(message, name, None), array)}
        self._fields = [*_SCALARS, *self._arrays, 'has_exact_pose', 'map_from_lidar', 'pc_range', 'pose', 'text',
                        'stamp']

    def spoil(self, source: Source) -> None:
        """Change up to four fields."""
        for _ in range(source.below(4) + 1):
            name = self._fields[source.below(len(self._fields))]
            if name in _SCALARS:
                self._set(name, source.integer(_SCALARS[name]))
            elif name in self._arrays:
                self._set(name, self._array(source, getattr(self.message, name)))
            elif name == 'has_exact_pose':
                self._set(name, bool(source.below(2)))
            elif name == 'pose':
                self._pose(source)
            elif name == 'text':
                self._set(('unit_id', 'model_id', 'map_frame')[source.below(3)], source.text())
            elif name == 'stamp':
                self.message.header.stamp.sec = source.integer(32) - 2**31
                self.message.header.stamp.nanosec = source.integer(32)
            else:
                values = getattr(self.message, name).copy()
                values[source.below(len(values))] = source.real()
                self._set(name, values)

    def _set(self, name: str, value) -> None:
        self._saved.setdefault(name, getattr(self.message, name))
        setattr(self.message, name, value)

    def _pose(self, source: Source) -> None:
        pose = self.message.pose.pose
        part, axis = (pose.position, 'xyz'[source.below(3)]) if source.below(2) else (
            pose.orientation, 'wxyz'[source.below(4)])
        self._saved.setdefault('pose', [(part, name, getattr(part, name)) for part in (pose.position, pose.orientation)
                                        for name in 'xyzw' if hasattr(part, name)])
        setattr(part, axis, source.real())

    @staticmethod
    def _array(source: Source, values: array) -> array:
        code, kind = values.typecode, source.below(4)
        if kind == 0:
            return values[:source.below(len(values) + 1)]
        if kind == 1:
            return values + array(code, bytes(_BYTES[code] * source.below(64)))
        changed = array(code, values)
        if kind == 2 and changed:
            at = source.below(len(changed))
            changed[at] = source.real() if code == 'f' else source.integer(8 * _BYTES[code])
            return changed
        raw = source.take(len(changed) * _BYTES[code])
        return array(code, raw)

    def restore(self) -> None:
        """Put the good values back."""
        for part, name, value in self._saved.pop('pose', ()):
            setattr(part, name, value)
        for name, value in self._saved.items():
            setattr(self.message, name, value)
        self._saved.clear()


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
    from rclpy.serialization import deserialize_message, serialize_message

    from cooptrack_msgs.msg import InstanceFeatureArray
    from cooptrack_ros.common.errors import WireError
    from cooptrack_ros.wire.features import decode_instances
    good = messages()
    spoilers = [Spoiler(message) for message in good]
    serialized = [serialize_message(message) for message in good]

    def decode(message) -> bool:
        try:
            instances, meta = decode_instances(message)
        except WireError:
            return False
        check(instances, meta)
        return True

    def run(data: bytes) -> bool:
        source = Source(data)
        number = source.below(len(good))
        # Taking a message apart is the middleware's work and slow: one input in eight goes through it.
        if source.below(8):
            try:
                spoilers[number].spoil(source)
                return decode(spoilers[number].message)
            finally:
                spoilers[number].restore()
        on_wire = source.changed(serialized[number]) if source.below(4) else source.rest()
        try:
            message = deserialize_message(on_wire, InstanceFeatureArray)
        except Exception as error:
            if type(error).__name__ not in ('RuntimeError', 'RCLError', 'RMWError'):
                raise
            return False
        return decode(message)
    return run


ENTRY = Entry('codec', MODULES, prepare, plain_seeds, 160)
