"""Voxels as messages, there and back, and everything that a receiver refuses."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_msgs.msg import PanopticOccupancy, RoadsideOccupancy
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.sparse import Occupied
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.wire.occupancy import (
    MAX_ROADSIDE_BYTES,
    OccupancyMeta,
    RoadsideMeta,
    decode_occupancy,
    decode_roadside,
    encode_occupancy,
    encode_roadside,
)
from cooptrack_ros.wire.serialized import read_message

STAMP = 1_700_000_000_123_456_789
META = OccupancyMeta(STAMP, 'ego/lidar', GRIDS['mini'].vehicle, V2X)
LINK = RoadsideMeta('rsu_1', 2**63, 7, STAMP, 'infra/rsu_1/lidar', 'mini')


def voxels(seed: int = 0, count: int = 500, things: bool = True) -> Occupied:
    """Return voxels of the grid mini, or none."""
    random = np.random.default_rng(seed)
    shape = META.grid.shape
    volume = Volume(np.full(shape, V2X.free, np.uint8), np.zeros(shape, np.int64))
    place = random.choice(volume.semantics.size, count, replace=False)
    volume.semantics.reshape(-1)[place] = random.integers(0, 5, count) if things else 4
    volume.instances.reshape(-1)[place] = random.integers(0, 60, count)
    return Occupied.of(volume, V2X)


def check_equal(found: Occupied, sent: Occupied) -> None:
    for name in ('index', 'semantics', 'instances'):
        np.testing.assert_array_equal(getattr(found, name), getattr(sent, name))


@pytest.mark.parametrize('sent', [voxels(), voxels(count=0), voxels(things=False)], ids=['mixed', 'none', 'stuff'])
def test_voxels_survive_both_messages(sent):
    message = deserialize_message(serialize_message(encode_occupancy(sent, META)), PanopticOccupancy)
    found, meta = decode_occupancy(message)
    check_equal(found, sent)
    assert (meta.stamp_ns, meta.lidar_frame, meta.taxonomy) == (STAMP, 'ego/lidar', V2X)
    assert meta.grid.shape == META.grid.shape
    np.testing.assert_allclose([*meta.grid.origin, *meta.grid.voxel], [*META.grid.origin, *META.grid.voxel], rtol=1e-6)
    data = serialize_message(encode_roadside(sent, LINK))
    found, link = decode_roadside(read_message(data, RoadsideOccupancy, MAX_ROADSIDE_BYTES), 'mini')
    check_equal(found, sent)
    assert link == LINK


def test_an_identity_beyond_16_and_32_bits_survives():
    sent = replace(voxels(), instances=np.where(voxels().instances, voxels().instances + 2**40, 0))
    check_equal(decode_occupancy(encode_occupancy(sent, META))[0], sent)


def test_segments_are_the_entries_of_track_ids_from_one_on():
    message = encode_occupancy(voxels(), META)
    segment, ids = np.array(message.segment), np.array(message.track_ids)
    assert segment.min() == 0
    assert segment.max() == len(ids)
    assert (np.diff(ids) > 0).all()
    assert set(message.thing_classes) == {1, 2, 3}
    assert list(message.class_names) == list(V2X.classes)


def refused(change, decode, message) -> str:
    change(message)
    with pytest.raises(WireError) as caught:
        decode(message)
    return caught.value.reason


def put(name, values, code):
    return lambda m: setattr(m, name, array(code, values))


def swapped(m):
    m.index[0], m.index[1] = m.index[1], m.index[0]


OWN = {
    'a class too few': (lambda m: m.semantic.pop(), 'wrong_length'),
    'a segment too many': (lambda m: m.segment.append(0), 'wrong_length'),
    'indices not ascending': (swapped, 'implausible'),
    'an index twice': (lambda m: m.index.__setitem__(1, m.index[0]), 'implausible'),
    'an index beyond the grid': (lambda m: m.index.__setitem__(-1, 160 * 160 * 8), 'implausible'),
    'a segment without an identity': (lambda m: m.segment.__setitem__(0, 999), 'implausible'),
    'an unknown class': (lambda m: m.semantic.__setitem__(0, 6), 'unknown_label'),
    'a free voxel': (lambda m: m.semantic.__setitem__(0, V2X.free), 'implausible'),
    'stuff with an identity': (lambda m: (m.semantic.__setitem__(0, 4), m.segment.__setitem__(0, 1)), 'implausible'),
    'an identity twice': (lambda m: m.track_ids.__setitem__(1, m.track_ids[0]), 'implausible'),
    'identity 0': (lambda m: m.track_ids.__setitem__(0, 0), 'implausible'),
    'an identity that fits nothing': (lambda m: m.track_ids.__setitem__(-1, 2**64 - 1), 'implausible'),
    'a huge grid': (lambda m: setattr(m, 'size', np.full(3, 65535, np.uint16)), 'too_large'),
    'a flat grid': (lambda m: setattr(m, 'size', np.array([160, 160, 0], np.uint16)), 'too_large'),
    'an origin that is none': (lambda m: setattr(m, 'origin', np.array([np.nan, 0, 0], np.float32)), 'not_finite'),
    'voxels of no size': (lambda m: setattr(m, 'voxel_size', np.zeros(3, np.float32)), 'implausible'),
    'a free class that is a thing': (lambda m: setattr(m, 'free_class', 1), 'implausible'),
    'things that are no classes': (put('thing_classes', [77], 'B'), 'implausible'),
    'no classes': (lambda m: setattr(m, 'class_names', []), 'implausible'),
    'no time': (lambda m: setattr(m.header.stamp, 'nanosec', 10**9), 'implausible')}


@pytest.mark.parametrize('what', OWN)
def test_own_messages_that_cannot_be_are_refused(what):
    change, reason = OWN[what]
    assert refused(change, decode_occupancy, encode_occupancy(voxels(), META)) == reason


LINKED = {
    'another version': (lambda m: setattr(m, 'version', 2), 'wrong_version'),
    'another grid': (lambda m: setattr(m, 'grid', 'v2x'), 'wrong_grid'),
    'no time': (lambda m: setattr(m.header.stamp, 'sec', -1), 'implausible'),
    'an identity too few': (lambda m: m.track_ids.pop(), 'wrong_length'),
    'an unknown class': (lambda m: m.classes.__setitem__(0, 6), 'unknown_label'),
    'a free segment': (lambda m: m.classes.__setitem__(0, V2X.free), 'implausible'),
    'stuff with an identity': (lambda m: (m.classes.__setitem__(-1, 0), m.track_ids.__setitem__(-1, 5)), 'implausible'),
    'a segment too few': (lambda m: (m.classes.pop(), m.track_ids.pop()), 'undecodable'),
    'another count': (lambda m: setattr(m, 'count', 2**32 - 1), 'undecodable'),
    'no runs': (put('runs', [], 'B'), 'undecodable'),
    'runs that are none': (put('runs', [1, 2, 3], 'B'), 'undecodable')}


@pytest.mark.parametrize('what', LINKED)
def test_messages_of_units_that_cannot_be_are_refused(what):
    change, reason = LINKED[what]
    assert refused(change, lambda m: decode_roadside(m, 'mini'), encode_roadside(voxels(), LINK)) == reason


def test_lengths_are_measured_before_anything_is_allocated():
    data = bytearray(serialize_message(RoadsideOccupancy(version=1, grid='mini', runs=array('B', [1, 2, 3]))))
    # The length of the last field.
    at = data.rindex(b'\3\0\0\0')
    data[at:at + 4] = (2**18 + 1).to_bytes(4, 'little')
    with pytest.raises(WireError) as caught:
        read_message(bytes(data), RoadsideOccupancy, MAX_ROADSIDE_BYTES)
    assert caught.value.reason == 'too_large'
    with pytest.raises(WireError) as caught:
        read_message(bytes(MAX_ROADSIDE_BYTES + 1), RoadsideOccupancy, MAX_ROADSIDE_BYTES)
    assert caught.value.reason == 'too_large'


def test_the_largest_message_that_can_be_sent_is_accepted():
    count = 4096
    sent = Occupied(np.arange(count), np.ones(count, np.uint8), 1 + np.arange(count) * 7919 % 2**20)
    data = serialize_message(encode_roadside(sent, LINK))
    check_equal(decode_roadside(read_message(data, RoadsideOccupancy, MAX_ROADSIDE_BYTES), 'mini')[0], sent)
    with pytest.raises(WireError) as caught:
        encode_roadside(Occupied(np.arange(count + 1), np.ones(count + 1, np.uint8), np.arange(1, count + 2)), LINK)
    assert caught.value.reason == 'too_large'
