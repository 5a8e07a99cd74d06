"""Instance sets as ``cooptrack_msgs/InstanceFeatureArray``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray

from ..common.config import ENCODING, ModelConfig
from ..common.errors import WireError
from ..common.geometry import nearest_rotation, quaternion_from_rotation, rotation_from_quaternion
from ..common.types import Boxes, InstanceSet
from .arrays import finite, from_field, is_time, matrix, set_stamp, stamp_ns, to_field
from .poses import check_plausible_pose, check_upright

ENCODINGS: dict[str, int] = {name: getattr(InstanceFeatureArray, name.upper()) for name in ENCODING.choices}
_FEATURE_TYPES = {code: np.dtype(name) for name, code in ENCODINGS.items()}
_BLOCKS = ('semantic', 'motion', 'position_embedding')
_HEAD_BYTES = 4096
"""More than everything of a message takes that is there once."""
_LARGEST_HALF = np.float32(65504)
_MAX_YAW = 10.0
_POINTS = (-1.0, 2.0)
"""Fractions of the range; an object may have left it since it was seen."""


@dataclass(frozen=True)
class FeatureMeta:
    """Everything of a message besides the instances; ``map_from_lidar`` is exact, 4x4, maybe not rigid."""

    unit_id: str
    session: int
    sequence: int
    model_id: str
    stamp_ns: int
    lidar_frame: str
    map_frame: str
    map_from_lidar: np.ndarray = field(default_factory=lambda: np.eye(4))
    pc_range: tuple[float, ...] = (0.0, -51.2, -5.0, 102.4, 51.2, 3.0)
    encoding: str = ENCODING.default
    compact: bool = True
    """Leave the embeddings out: receivers with the weights of the sender recompute them from their points."""

    @staticmethod
    def example() -> FeatureMeta:
        """Return plausible values, for measuring sizes."""
        return FeatureMeta('rsu_1', 1, 1, '0' * 16, 0, 'infra/rsu_1/lidar', 'map')


@dataclass(frozen=True)
class FeatureLimits:
    """What a receiver accepts."""

    max_instances: int = 900
    max_feature_dim: int = 1024
    max_position_m: float = 1000.0
    max_size_m: float = 50.0
    max_speed_m_s: float = 150.0
    max_feature: float = 65504.0
    """The largest number of float16; with far more the network would give NaN."""
    min_previous_age_s: float = 1e-3
    max_previous_age_s: float = 10.0
    num_classes: int = len(ModelConfig.class_names)
    """Labels are numbers without names, so those of the receiver's model apply: it must know each."""

    @property
    def max_bytes(self) -> int:
        """Return the size of the largest message that can be accepted."""
        # Nine numbers of a box, and points, positions, ages, scores, labels, identities, scales.
        return _HEAD_BYTES + self.max_instances * 4 * (9 + 9 + 7 + len(_BLOCKS) * self.max_feature_dim)


def plausible(instances: InstanceSet, limits: FeatureLimits | None = None) -> np.ndarray:
    """Return which instances (N,) bool a receiver would accept: one bad instance costs the whole message."""
    limits, boxes, age = limits or FeatureLimits(), instances.boxes, instances.previous_age_s
    columns = np.concatenate([boxes.centre, boxes.size, boxes.yaw[:, None], boxes.velocity, boxes.score[:, None],
                              instances.ref_points, instances.position_points, instances.previous_position,
                              age[:, None]], axis=1)
    low, high = _bounds(limits)
    # What is not finite lies within no bounds.
    good = ((columns >= low) & (columns <= high)).all(1) & ((age == 0) | (age >= limits.min_previous_age_s))
    for name in _BLOCKS:
        good &= _largest(getattr(instances, name)) <= limits.max_feature
    return good


@cache
def _bounds(limits: FeatureLimits) -> np.ndarray:
    """Return the lowest and the highest value of each column of ``plausible``, (2, columns)."""
    position, speed = limits.max_position_m, limits.max_speed_m_s
    groups = [(3, -position, position), (3, np.nextafter(0, 1), limits.max_size_m), (1, -_MAX_YAW, _MAX_YAW),
              (2, -speed, speed), (1, 0, 1), (6, *_POINTS), (3, -position, position),
              (1, 0, limits.max_previous_age_s)]
    return np.array([bounds for count, *bounds in groups for _ in range(count)]).T


def _largest(values: np.ndarray) -> np.ndarray:
    """Return the largest magnitude of each row: NaN if there is one in it, 0 without columns."""
    return np.maximum(values.max(axis=1, initial=0.0), -values.min(axis=1, initial=0.0))


def sendable(instances: InstanceSet, max_instances: int) -> tuple[InstanceSet, int]:
    """Return the best plausible instances by score, in their order, and how many were not plausible."""
    accepted = plausible(instances)
    if not accepted.all():
        instances = instances[accepted]
    if len(instances) > max_instances:
        instances = instances[np.sort(np.argsort(-instances.boxes.score)[:max_instances])]
    return instances, int((~accepted).sum())


def encode_instances(instances: InstanceSet, meta: FeatureMeta) -> InstanceFeatureArray:
    """
    Return the message of an instance set.

    :raises ValueError: for an unknown encoding.
    """
    if meta.encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding '{meta.encoding}'; known: {', '.join(ENCODINGS)}")
    msg = InstanceFeatureArray()
    msg.version = InstanceFeatureArray.VERSION
    set_stamp(msg.header.stamp, meta.stamp_ns)
    msg.header.frame_id, msg.map_frame = meta.lidar_frame, meta.map_frame
    msg.unit_id, msg.session, msg.sequence, msg.model_id = meta.unit_id, meta.session, meta.sequence, meta.model_id
    _set_pose(msg, meta.map_from_lidar)
    msg.pc_range = np.asarray(meta.pc_range, np.float32)
    boxes = instances.boxes
    msg.count, msg.feature_dim = len(instances), instances.semantic.shape[1]
    msg.boxes = to_field(np.concatenate([boxes.centre, boxes.size, boxes.yaw[:, None], boxes.velocity], axis=1), 'f')
    msg.scores, msg.labels = to_field(boxes.score, 'f'), to_field(boxes.label, 'B')
    msg.track_ids = to_field(boxes.track_id, 'I')
    msg.ref_points = to_field(instances.ref_points, 'f')
    msg.previous_positions = to_field(instances.previous_position, 'f')
    msg.previous_ages = to_field(instances.previous_age_s, 'f')
    msg.encoding = ENCODINGS[meta.encoding]
    for name in _BLOCKS[:2] if meta.compact else _BLOCKS:
        _encode_block(msg, name, getattr(instances, name))
    msg.position_points = to_field(instances.position_points, 'f')
    return msg


def _set_pose(msg: InstanceFeatureArray, map_from_lidar: np.ndarray) -> None:
    position, orientation = msg.pose.pose.position, msg.pose.pose.orientation
    position.x, position.y, position.z = (float(v) for v in map_from_lidar[:3, 3])
    orientation.w, orientation.x, orientation.y, orientation.z = _quaternion(map_from_lidar[:3, :3].tobytes())
    msg.has_exact_pose = True
    msg.map_from_lidar = map_from_lidar.reshape(16)


@lru_cache(maxsize=16)
def _quaternion(rotation: bytes) -> list[float]:
    """Return w, x, y, z of nearly a rotation, float64 (3, 3); units stand still, so it is the same every time."""
    return quaternion_from_rotation(nearest_rotation(np.frombuffer(rotation).reshape(3, 3))).tolist()


def _encode_block(msg: InstanceFeatureArray, name: str, values: np.ndarray) -> None:
    if msg.encoding == InstanceFeatureArray.INT8:
        scales = np.maximum(_largest(values) / 127.0, 1e-12).astype(np.float32)
        setattr(msg, f'{name}_scales', to_field(scales, 'f'))
        values = np.rint(values / scales[:, None])
    elif msg.encoding == InstanceFeatureArray.FLOAT16:
        values = np.minimum(np.maximum(values, -_LARGEST_HALF), _LARGEST_HALF)
    coded = np.ascontiguousarray(values, dtype=_FEATURE_TYPES[msg.encoding])
    setattr(msg, name, to_field(coded.view(np.uint8).reshape(-1), 'B'))


def decode_instances(msg: InstanceFeatureArray, limits: FeatureLimits | None = None) -> tuple[InstanceSet, FeatureMeta]:
    """
    Return instances and the rest of a message; everything is checked before anything is allocated for it.

    A message without features (empty blocks) gives an instance set without channels. A compact one gives
    embeddings without channels, which ``weights.compact_messages`` completes.

    :raises WireError: naming what is wrong.
    """
    limits = limits or FeatureLimits()
    boxes, count, channels = decode_boxes(msg, limits), int(msg.count), int(msg.feature_dim)
    features = [_decode_block(msg, name, count, channels) for name in _BLOCKS]
    semantic, motion, embedding = (block.shape[1] for block in features)
    if semantic != motion or embedding > semantic:
        raise WireError('wrong_length', 'all features may be left out, or the embeddings alone')
    instances = InstanceSet(
        boxes, _floats(msg, 'ref_points', count, 3), *features,
        _floats(msg, 'previous_positions', count, 3), _floats(msg, 'previous_ages', count),
        _floats(msg, 'position_points', count, 3))
    if not plausible(instances, limits).all():
        raise WireError('implausible', 'an angle, a reference point, an earlier position or a feature is out of range')
    return instances, _decode_meta(msg, limits)


def decode_boxes(msg: InstanceFeatureArray, limits: FeatureLimits | None = None) -> Boxes:
    """
    Return the boxes of a message in the unit's lidar frame, which are there with and without features.

    :raises WireError: naming what is wrong.
    """
    limits, count, channels = limits or FeatureLimits(), int(msg.count), int(msg.feature_dim)
    if msg.version != InstanceFeatureArray.VERSION:
        raise WireError('wrong_version', f'InstanceFeatureArray of version {msg.version}, this receiver reads version '
                        f'{InstanceFeatureArray.VERSION}: both sides must run the same release')
    if count > limits.max_instances or channels > limits.max_feature_dim:
        raise WireError('too_large', f'{count} instances with {channels} channels; at most {limits.max_instances} with '
                        f'{limits.max_feature_dim} are accepted')
    if msg.encoding not in _FEATURE_TYPES:
        raise WireError('unknown_encoding', f'encoding {msg.encoding}; known: {ENCODINGS}')
    labels = from_field(msg.labels, 'B', 'labels', count)
    if count and labels.max() >= limits.num_classes:
        raise WireError('unknown_label', f'label {labels.max()}; known: 0 to {limits.num_classes - 1}')
    values = _floats(msg, 'boxes', count, 9).astype(np.float64)
    scores = _floats(msg, 'scores', count).astype(np.float64)
    track_ids = from_field(msg.track_ids, 'I', 'track_ids', count)
    if count:
        if np.abs(values[:, :3]).max() > limits.max_position_m or np.abs(values[:, 7:]).max() > limits.max_speed_m_s:
            raise WireError('implausible', 'a box is farther or faster than accepted')
        if values[:, 3:6].min() <= 0 or values[:, 3:6].max() > limits.max_size_m:
            raise WireError('implausible', f'a box size is not within 0 to {limits.max_size_m} m')
        if scores.min() < 0 or scores.max() > 1:
            raise WireError('implausible', 'a score is not within 0 to 1')
    return Boxes(values[:, :3], values[:, 3:6], values[:, 6], values[:, 7:9], labels.astype(np.int64), scores,
                 track_ids.astype(np.int64))


def _floats(msg: InstanceFeatureArray, name: str, count: int, columns: int | None = None) -> np.ndarray:
    values = finite(from_field(getattr(msg, name), 'f', name, count * (columns or 1)), name)
    return values.reshape(count, columns) if columns else values


def _decode_block(msg: InstanceFeatureArray, name: str, count: int, channels: int) -> np.ndarray:
    coded = getattr(msg, name)
    if len(coded) == 0 and count:
        return np.zeros((count, 0), np.float32)
    dtype = _FEATURE_TYPES[msg.encoding]
    data = from_field(coded, 'B', name, count * channels * dtype.itemsize)
    values = data.view(dtype).reshape(count, channels).astype(np.float32)
    if msg.encoding == InstanceFeatureArray.INT8:
        scales = _floats(msg, f'{name}_scales', count)
        # Too large a scale gives infinite numbers, which are refused below.
        with np.errstate(over='ignore'):
            values = values * scales[:, None]
    return finite(values, name)


def _decode_meta(msg: InstanceFeatureArray, limits: FeatureLimits) -> FeatureMeta:
    encoding = next(name for name, value in ENCODINGS.items() if value == msg.encoding)
    pose = msg.pose.pose
    if msg.has_exact_pose:
        map_from_lidar = matrix(msg.map_from_lidar, 'map_from_lidar')
    else:
        q = pose.orientation
        quaternion = finite(np.array([q.w, q.x, q.y, q.z]), 'pose.orientation')
        if abs(np.linalg.norm(quaternion) - 1) > 1e-2:
            raise WireError('implausible', 'pose.orientation is not a unit quaternion')
        map_from_lidar = np.eye(4)
        map_from_lidar[:3, :3] = rotation_from_quaternion(quaternion)
        map_from_lidar[:3, 3] = finite(np.array([pose.position.x, pose.position.y, pose.position.z]), 'pose.position')
    check_plausible_pose(map_from_lidar, 'the pose of the unit')
    check_upright(map_from_lidar, 'the pose of the unit')
    if not is_time(msg.header.stamp):
        raise WireError('implausible', f'stamp {msg.header.stamp.sec} s, {msg.header.stamp.nanosec} ns')
    pc_range = finite(np.array(msg.pc_range, np.float64), 'pc_range')
    if not (pc_range[3:] > pc_range[:3]).all() or np.abs(pc_range).max() > limits.max_position_m:
        raise WireError('implausible', f'pc_range {pc_range.tolist()} is empty or too large')
    return FeatureMeta(msg.unit_id, int(msg.session), int(msg.sequence), msg.model_id, stamp_ns(msg.header.stamp),
                       msg.header.frame_id, msg.map_frame, map_from_lidar, tuple(pc_range.tolist()), encoding,
                       len(msg.position_embedding) == 0)


def transmission(encoding: str, compact: bool, max_instances: int, complete: Callable[[InstanceSet], InstanceSet],
                 limits: FeatureLimits | None = None) -> Callable[[InstanceSet], tuple[InstanceSet, int]]:
    """
    Return a function that sends an instance set: what a receiver gets of it, and the bytes of the message.

    :param encoding: of the features; :param compact: leave the embeddings out; :param max_instances: the best by
        score; :param complete: recomputes what a compact message leaves out, see ``weights.compact_messages``;
    :param limits: what the receiver accepts.
    """
    meta = replace(FeatureMeta.example(), encoding=encoding, compact=compact)

    def transmit(instances: InstanceSet) -> tuple[InstanceSet, int]:
        data = serialize_message(encode_instances(sendable(instances, max_instances)[0], meta))
        return complete(decode_instances(deserialize_message(data, InstanceFeatureArray), limits)[0]), len(data)
    return transmit
