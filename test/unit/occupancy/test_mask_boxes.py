"""Boxes around masks, and masks of boxes."""

from __future__ import annotations

import numpy as np
import pytest

from cooptrack_ros.common.types import Boxes
from cooptrack_ros.occupancy.grids import Grid
from cooptrack_ros.occupancy.mask_boxes import boxes_of_masks, voxels_in, with_filled_boxes
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.taxonomy import V2X

GRID = Grid((-8.0, -8.0, -1.0), (0.5, 0.5, 0.5), (32, 32, 6))


def empty() -> Volume:
    return Volume(np.full(GRID.shape, V2X.free, np.uint8), np.zeros(GRID.shape, np.int64))


def box(centre, size, yaw, label=1, score=0.9, identity=7) -> Boxes:
    return Boxes(np.array([centre], float), np.array([size], float), np.array([yaw], float), np.zeros((1, 2)),
                 np.array([label]), np.array([score]), np.array([identity]))


def test_the_box_of_voxels_along_an_axis_is_exact():
    volume = empty()
    volume.semantics[4:12, 10:14, 1:4], volume.instances[4:12, 10:14, 1:4] = 1, 5
    found = boxes_of_masks(volume, GRID, V2X)
    assert found.track_id.tolist() == [5] and found.label.tolist() == [1]
    np.testing.assert_allclose(found.centre, [[-4.0, -2.0, 0.25]])
    np.testing.assert_allclose(found.size, [[4.0, 2.0, 1.5]])
    assert abs(np.sin(found.yaw[0])) < 1e-9


@pytest.mark.parametrize('yaw', [0.0, 0.6, -1.1, 1.5])
def test_a_box_filled_with_voxels_comes_back(yaw):
    true = box((1.0, -1.5, 0.5), (5.0, 2.0, 1.5), yaw)
    filled = with_filled_boxes(empty(), true, GRID, V2X)
    found = boxes_of_masks(filled, GRID, V2X)
    assert np.abs(found.centre - true.centre).max() < 0.3 and found.track_id.tolist() == [7]
    assert abs(np.sin(found.yaw[0] - yaw)) < 0.12 and np.abs(found.size - true.size).max() < 0.9


def test_things_of_one_class_are_told_apart_and_stuff_has_no_box():
    volume = empty()
    volume.semantics[:, :, 0] = 4
    for identity, x in ((9, 3), (2, 20)):
        volume.semantics[x:x + 2, 5, 1], volume.instances[x:x + 2, 5, 1] = 3, identity
    found = boxes_of_masks(volume, GRID, V2X)
    assert found.track_id.tolist() == [2, 9] and found.centre[0, 0] > found.centre[1, 0]
    assert len(boxes_of_masks(empty(), GRID, V2X)) == 0


def test_boxes_replace_things_and_leave_stuff():
    volume = empty()
    volume.semantics[:, :, 0] = 4
    volume.semantics[0:2, 0:2, 2], volume.instances[0:2, 0:2, 2] = 2, 4
    found = with_filled_boxes(volume, box((0.0, 0.0, 0.5), (2.0, 1.0, 1.0), 0.0), GRID, V2X)
    assert (found.semantics[:, :, 0] == 4).all() and found.semantics[0, 0, 2] == V2X.free
    assert np.unique(found.instances).tolist() == [0, 7] and (found.semantics[found.instances == 7] == 1).all()
    assert (found.instances == 7).sum() == 4 * 2 * 2


def test_where_boxes_overlap_the_surer_one_is():
    both = Boxes.concatenate([box((0, 0, 0.5), (2, 2, 1), 0.0, score=0.8, identity=1),
                              box((0.5, 0, 0.5), (2, 2, 1), 0.0, score=0.4, identity=2)])
    found = with_filled_boxes(empty(), both, GRID, V2X)
    assert (found.instances == 1).sum() == 32 and (found.instances == 2).sum() == 8


def test_what_is_smaller_than_a_voxel_has_one_and_what_lies_outside_none():
    assert len(voxels_in(GRID, np.array([0.1, 0.1, 0.1]), np.full(3, 0.1), 0.3)) == 1
    assert len(voxels_in(GRID, np.array([50.0, 0.0, 0.0]), np.full(3, 2.0), 0.0)) == 0
