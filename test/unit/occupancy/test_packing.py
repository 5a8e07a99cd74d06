"""Volumes as lists and as packed runs: there and back, and every way in which packed bytes are no volume."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from cooptrack_ros.occupancy.runs import MAX_SEGMENTS, UnpackError, pack, unpack
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.sparse import Occupied, numbered
from cooptrack_ros.occupancy.taxonomy import V2X

SHAPE = (30, 20, 5)


def random_volume(seed: int, share: float = 0.3, shape=SHAPE) -> Volume:
    """Return a volume in which some voxels are something."""
    random = np.random.default_rng(seed)
    semantics = np.where(random.random(shape) < share, random.integers(0, 5, shape), V2X.free).astype(np.uint8)
    return Volume(semantics, random.integers(0, 400, shape))


@pytest.mark.parametrize('share', [0.0, 0.02, 0.3, 1.0])
def test_a_volume_survives_as_a_list_and_packed(share):
    volume = random_volume(1, share)
    voxels = Occupied.of(volume, V2X)
    back = voxels.volume(SHAPE, V2X)
    np.testing.assert_array_equal(back.semantics, volume.semantics)
    things = np.isin(volume.semantics, V2X.things)
    np.testing.assert_array_equal(back.instances, np.where(things, volume.instances, 0))
    found = unpack(pack(voxels, SHAPE), SHAPE)
    for name in ('index', 'semantics', 'instances'):
        np.testing.assert_array_equal(getattr(found, name), getattr(voxels, name))


def test_more_than_255_things_and_long_runs_survive():
    semantics, instances = np.full((80, 80, 4), 4, np.uint8), np.zeros((80, 80, 4), np.int64)
    semantics[..., 1:3], instances[..., 1:3] = 1, 2**31 + np.arange(6400).reshape(80, 80, 1) // 2
    voxels = Occupied.of(Volume(semantics, instances), V2X)
    found = unpack(pack(voxels, semantics.shape), semantics.shape)
    np.testing.assert_array_equal(found.instances, voxels.instances)
    np.testing.assert_array_equal(found.semantics, voxels.semantics)


def test_a_layer_of_ground_costs_next_to_nothing():
    semantics = np.full((160, 160, 8), V2X.free, np.uint8)
    semantics[..., 3] = 4
    packed = pack(Occupied.of(Volume(semantics, np.zeros_like(semantics, np.int64)), V2X), semantics.shape)
    assert packed.count == 25600
    assert len(packed.runs) < 100


def test_too_many_different_things_are_refused():
    count = MAX_SEGMENTS + 1
    with pytest.raises(ValueError, match='4097 combinations'):
        pack(Occupied(np.arange(count), np.ones(count, np.uint8), np.arange(1, count + 1)), (100, 100, 1))


PACKED = pack(Occupied.of(random_volume(2), V2X), SHAPE)
RAW = zlib.decompress(PACKED.runs)


def changed(position: int, value: int) -> bytes:
    raw = bytearray(RAW)
    raw[position] = value
    return zlib.compress(bytes(raw))


@pytest.mark.parametrize(('runs', 'words'), [
    (b'', 'one deflated block'), (b'no zlib', 'cannot be inflated'), (PACKED.runs[:-5], 'one deflated block'),
    (PACKED.runs + b'x', 'one deflated block'), (zlib.compress(RAW[:-1]), 'no lengths and values'),
    (zlib.compress(b''), 'runs of 0 voxels'), (changed(0, RAW[0] + 1), 'voxels in a grid of 3000'),
    (changed(len(RAW) - 1, 255), 'segment'), (zlib.compress(bytes(10**6)), 'at most 9000 bytes')])
def test_what_is_no_volume_is_refused(runs, words):
    with pytest.raises(UnpackError, match=words):
        unpack(replace(PACKED, runs=runs), SHAPE)


def test_another_number_of_voxels_than_announced_is_refused():
    with pytest.raises(UnpackError, match='announced'):
        unpack(replace(PACKED, count=PACKED.count + 1), SHAPE)


def test_no_bomb_is_inflated(monkeypatch):
    asked = []

    class Inflater:
        eof, unused_data = False, b''

        def decompress(self, data, most):
            asked.append(most)
            return b''
    monkeypatch.setattr(zlib, 'decompressobj', Inflater)
    with pytest.raises(UnpackError):
        unpack(PACKED, SHAPE)
    assert asked == [3 * 3000]


def test_numbers_are_those_of_unique():
    random = np.random.default_rng(3)
    for values in (np.repeat(random.integers(0, 9, 40), random.integers(1, 5, 40)), np.zeros(0, np.int64), np.ones(1)):
        expected, inverse = np.unique(values, return_inverse=True)
        kinds, of_each = numbered(values)
        np.testing.assert_array_equal(kinds, expected)
        np.testing.assert_array_equal(of_each, inverse)
