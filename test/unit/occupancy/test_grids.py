"""Grids lie where the specification says, and fit the BEV grids of the networks."""

from pathlib import Path

import numpy as np
import pytest

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.common.types import Side
from cooptrack_ros.occupancy.grids import GRIDS, LABELLED, Grid
from cooptrack_ros.occupancy.identities import labels_from_boxes

GOLDEN_FILE = Path(__file__).resolve().parents[2] / 'data/occ_golden/labels_from_boxes.npz'


@pytest.mark.parametrize('name, voxel, shape', [
    ('mini', (0.64, 0.64, 1.0), (160, 160, 8)), ('v2x', (0.512, 0.512, 0.5), (200, 200, 16)),
    ('waymo', (0.4, 0.4, 0.4), (200, 200, 16))])
def test_sizes_are_those_of_the_specification(name, voxel, shape):
    grid = GRIDS[name].vehicle
    assert grid.shape == shape
    assert grid.voxel == pytest.approx(voxel)


@pytest.mark.parametrize('config, name', [(MINI, 'mini'), (R50, 'v2x')])
@pytest.mark.parametrize('side', [Side.VEHICLE, Side.ROADSIDE])
def test_a_cell_of_the_birds_eye_view_is_four_voxels_wide(config, name, side):
    grid, limits = GRIDS[name].grid(side), config.range_of(side).pc_range
    assert grid.shape[:2] == (4 * config.bev_size[1], 4 * config.bev_size[0])
    assert grid.origin == pytest.approx(limits[:3])
    assert np.add(grid.origin, np.multiply(grid.voxel, grid.shape)) == pytest.approx(limits[3:])


def test_waymo_has_no_roadside_and_no_labels_of_ours():
    with pytest.raises(ValueError, match='no roadside'):
        GRIDS['waymo'].grid(Side.ROADSIDE)
    assert LABELLED == ('mini', 'v2x')


def test_a_point_is_in_the_voxel_whose_centre_is_near():
    grid = GRIDS['mini'].vehicle
    voxels = np.array([[0, 0, 0], [159, 159, 7], [3, 100, 5]])
    inside, flat = grid.indices(np.vstack([grid.centres(voxels) + 0.3, [[60.0, 0.0, 0.0]]]))
    assert inside.tolist() == [True, True, True, False]
    assert np.array_equal(np.stack(np.unravel_index(flat, grid.shape), 1), voxels)
    assert np.array_equal(grid.all_centres()[3, 100, 5], grid.centres(voxels[2]))


def test_golden_identities_of_boxes():
    golden = np.load(GOLDEN_FILE)
    grid = Grid(tuple(golden['origin']), (float(golden['voxel']),) * 3, golden['sem'].shape)
    found = labels_from_boxes(golden['sem'], golden['boxes'], golden['classes'], golden['ids'], grid)
    assert np.array_equal(found, golden['expected_inst'])
