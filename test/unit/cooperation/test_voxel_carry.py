"""Voxels of one grid in another one: found where they are, without holes, and not where the other grid ends."""

from __future__ import annotations

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose, rotation_z, transform_points
from cooptrack_ros.cooperation.voxels.carry import carried, extent_m
from cooptrack_ros.occupancy.grids import Grid

SOURCE = Grid((0.0, -8.0, -2.0), (0.5, 0.5, 1.0), (40, 32, 6))
TARGET = Grid((-10.0, -10.0, -3.0), (0.5, 0.5, 1.0), (40, 40, 7))


def naive(index, codes, matrix):
    """Return code by flat index of the target, voxel by voxel."""
    of, inverse, found = dict(zip(index.tolist(), codes.tolist())), np.linalg.inv(matrix), {}
    for place in np.ndindex(TARGET.shape):
        voxel = np.floor(SOURCE.places(transform_points(inverse, TARGET.centres(np.array(place))[None])))[0].astype(int)
        if ((voxel >= 0) & (voxel < SOURCE.shape)).all():
            code = of.get(int(np.ravel_multi_index(tuple(voxel), SOURCE.shape)))
            if code:
                found[int(np.ravel_multi_index(place, TARGET.shape))] = code
    return found


@pytest.mark.parametrize('yaw', [0.0, 0.7, 3.0])
def test_every_voxel_of_the_target_looks_up_what_is_at_its_centre(yaw):
    random = np.random.default_rng(0)
    index = np.sort(random.choice(int(np.prod(SOURCE.shape)), 500, replace=False))
    codes = random.integers(1, 9, 500).astype(np.uint16)
    matrix = make_pose(rotation_z(yaw) * 1.01, np.array([-3.2, 1.3, 0.4]))
    places, found = carried(index, codes, SOURCE, TARGET, matrix)
    assert dict(zip(places.tolist(), found.tolist())) == naive(index, codes, matrix)
    assert (np.diff(places) > 0).all()


def test_a_turned_surface_has_no_holes():
    ground = np.zeros(SOURCE.shape, bool)
    ground[..., 2] = True
    places, _ = carried(np.flatnonzero(ground), np.ones(ground.sum(), np.uint8), SOURCE, TARGET,
                        make_pose(rotation_z(0.6), np.array([-9.0, -4.0, 0.0])))
    columns = np.zeros(TARGET.shape[:2], int)
    np.add.at(columns, np.unravel_index(places, TARGET.shape)[:2], 1)
    assert columns.max() == 1
    for row in columns:
        filled = np.flatnonzero(row)
        assert not len(filled) or len(filled) == filled[-1] - filled[0] + 1


def test_what_lies_elsewhere_is_nowhere():
    one = np.array([7]), np.ones(1, np.uint8)
    assert not len(carried(*one, SOURCE, TARGET, make_pose(np.eye(3), np.array([900.0, 0.0, 0.0])))[0])
    assert not len(carried(one[0][:0], one[1][:0], SOURCE, TARGET, np.eye(4))[0])


def test_extent_counts_voxels_at_both_ends():
    index = np.ravel_multi_index(([3, 5], [4, 4], [0, 2]), SOURCE.shape)
    np.testing.assert_allclose(extent_m(index, SOURCE), [1.5, 0.5, 3.0])
