"""Encoding and checking of roadside feature messages."""

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.types import Boxes, InstanceSet
from cooptrack_ros.wire.features import FeatureMeta, decode_instances, encode_instances, plausible

WIDTH = 16


def make(count: int, seed: int = 0, width: int = WIDTH) -> InstanceSet:
    """Return plausible instances, float32 throughout so that nothing is rounded on the way."""
    random = np.random.default_rng(seed)

    def real(*shape: int) -> np.ndarray:
        return random.uniform(-1, 1, shape).astype(np.float32)

    boxes = Boxes(real(count, 3) * 50, np.abs(real(count, 3)) + 0.5, real(count) * 3, real(count, 2) * 10,
                  random.integers(0, 3, count), np.abs(real(count)), random.integers(0, 2**32, count))
    return InstanceSet(boxes, np.abs(real(count, 3)), real(count, width), real(count, width), real(count, width),
                       real(count, 3) * 50, random.uniform(0.05, 1, count).astype(np.float32), np.abs(real(count, 3)))


def over_the_wire(instances: InstanceSet, encoding: str = 'float32', compact: bool = False) -> InstanceFeatureArray:
    """Return the message as a receiver gets it."""
    meta = FeatureMeta('rsu_1', 2**63, 7, 'model', 1_700_000_000_123_456_789, 'infra/rsu_1/lidar', 'map',
                       np.diag([1.0, 1.01, 1.0, 1.0]), encoding=encoding, compact=compact)
    return deserialize_message(serialize_message(encode_instances(instances, meta)), InstanceFeatureArray)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
def test_float32_round_trip_is_exact(count, seed):
    sent = make(count, seed)
    received, meta = decode_instances(over_the_wire(sent))
    for name in ('centre', 'size', 'yaw', 'velocity', 'label', 'score', 'track_id'):
        np.testing.assert_array_equal(getattr(received.boxes, name), getattr(sent.boxes, name))
    for name in ('ref_points', 'semantic', 'motion', 'position_embedding', 'previous_position', 'previous_age_s',
                 'position_points'):
        np.testing.assert_array_equal(getattr(received, name), getattr(sent, name))
    assert (meta.unit_id, meta.session, meta.sequence, meta.stamp_ns) == ('rsu_1', 2**63, 7, 1_700_000_000_123_456_789)
    np.testing.assert_array_equal(meta.map_from_lidar, np.diag([1.0, 1.01, 1.0, 1.0]))


@pytest.mark.parametrize(('encoding', 'tolerance'), [('float16', 2**-11), ('int8', 0.5 / 127 + 1e-6)])
def test_shorter_encodings_stay_within_their_resolution(encoding, tolerance):
    sent = make(20)
    received, _ = decode_instances(over_the_wire(sent, encoding))
    for name in ('semantic', 'motion', 'position_embedding'):
        largest = np.abs(getattr(sent, name)).max()
        np.testing.assert_allclose(getattr(received, name), getattr(sent, name), rtol=0, atol=tolerance * largest)


def test_int8_is_about_half_of_float16():
    sizes = {e: len(serialize_message(over_the_wire(make(64, width=96), e))) for e in ('float32', 'float16', 'int8')}
    assert sizes['int8'] < 0.65 * sizes['float16'] < 0.42 * sizes['float32']


def test_values_beyond_float16_stay_finite():
    sent = make(1)
    sent.semantic[0, 0] = 1e6
    received, _ = decode_instances(over_the_wire(sent, 'float16'))
    assert received.semantic[0, 0] == 65504


def test_message_without_features_gives_boxes_only():
    message = over_the_wire(make(3))
    message.semantic = message.motion = message.position_embedding = array('B')
    received, _ = decode_instances(message)
    assert len(received) == 3
    assert received.semantic.shape == (3, 0)


@pytest.mark.parametrize(('field', 'value', 'reason'), [
    ('version', 2, 'wrong_version'),
    ('version', 4, 'wrong_version'),
    ('encoding', 9, 'unknown_encoding'),
    ('count', 4, 'wrong_length'),
    ('count', 2**32 - 1, 'too_large'),
    ('feature_dim', WIDTH + 1, 'wrong_length'),
    ('feature_dim', 2**32 - 1, 'too_large'),
    ('scores', array('f', [0.5, 0.5]), 'wrong_length'),
    ('scores', array('f', [0.5, 0.5, 1.5]), 'implausible'),
    ('labels', array('B', [0, 1, 3]), 'unknown_label'),
    ('boxes', array('f', [float('nan')] * 27), 'not_finite'),
    ('boxes', array('f', [0.0] * 27), 'implausible'),
    ('boxes', array('f', [1e6] * 27), 'implausible'),
    ('previous_positions', array('f', [float('inf')] * 9), 'not_finite'),
    ('semantic', array('B', [255] * (3 * WIDTH * 4)), 'not_finite'),
    ('motion', array('B', [0]), 'wrong_length'),
    ('motion', array('B'), 'wrong_length'),
    ('semantic', array('B'), 'wrong_length'),
    ('position_points', array('f', [0.5] * 8), 'wrong_length'),
    ('position_points', array('f', [float('nan')] * 9), 'not_finite'),
    ('position_points', array('f', [1e3] * 9), 'implausible'),
    ('map_from_lidar', np.full(16, np.nan), 'not_finite'),
    ('map_from_lidar', np.zeros(16), 'bad_pose'),
    ('pc_range', np.zeros(6, np.float32), 'implausible'),
])
def test_broken_message_is_refused_with_its_reason(field, value, reason):
    message = over_the_wire(make(3))
    setattr(message, field, value)
    with pytest.raises(WireError) as refused:
        decode_instances(message)
    assert refused.value.reason == reason


def test_a_message_of_the_version_before_is_refused_with_both_versions():
    message = over_the_wire(make(3))
    assert message.version == 3
    message.version = 2
    with pytest.raises(WireError, match='version 2, this receiver reads version 3') as refused:
        decode_instances(message)
    assert refused.value.reason == 'wrong_version'


def test_int8_without_scales_is_refused():
    message = over_the_wire(make(3), 'int8')
    message.motion_scales = array('f')
    with pytest.raises(WireError) as refused:
        decode_instances(message)
    assert refused.value.reason == 'wrong_length'


@pytest.mark.parametrize('encoding', ['float32', 'float16', 'int8'])
def test_a_compact_message_leaves_out_the_embeddings_alone(encoding):
    sent = make(20)
    message = over_the_wire(sent, encoding, compact=True)
    received, meta = decode_instances(message)
    assert meta.compact and not len(message.position_embedding) and not len(message.position_embedding_scales)
    assert received.position_embedding.shape == (20, 0)
    full, meta = decode_instances(over_the_wire(sent, encoding))
    assert not meta.compact
    for name in ('semantic', 'motion', 'ref_points', 'position_points'):
        np.testing.assert_array_equal(getattr(received, name), getattr(full, name))


def test_a_compact_int8_message_of_the_published_width_is_a_fifth_of_the_papers():
    papers = 4 * (3 * 256 + 3)
    sizes = [len(serialize_message(over_the_wire(make(n, width=256), 'int8', compact=True))) for n in (0, 64)]
    assert (sizes[1] - sizes[0]) / 64 < 0.2 * papers


FIELDS = ('boxes', 'scores', 'labels', 'track_ids', 'ref_points', 'previous_positions', 'previous_ages', 'semantic',
          'motion', 'position_embedding', 'semantic_scales', 'motion_scales', 'position_embedding_scales',
          'position_points')


@settings(max_examples=150, deadline=None)
@given(data=st.data(), name=st.sampled_from(FIELDS), encoding=st.sampled_from(['float32', 'float16', 'int8']))
def test_a_compact_message_with_any_field_replaced_is_refused_or_plausible(data, name, encoding):
    message = over_the_wire(make(3), encoding, compact=True)
    field = getattr(message, name)
    raw = data.draw(st.binary(max_size=2 * 3 * WIDTH * 4))
    if data.draw(st.booleans(), 'of the right length'):
        raw = raw.ljust(len(field) * field.itemsize, b'\x7f')[:len(field) * field.itemsize]
    setattr(message, name, array(field.typecode, raw[:len(raw) // field.itemsize * field.itemsize]))
    try:
        received, _ = decode_instances(message)
    except WireError:
        return
    assert plausible(received).all()
    assert received.semantic.shape == received.motion.shape
    assert received.position_embedding.shape[1] in (0, WIDTH)
