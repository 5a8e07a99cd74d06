"""Rays visit the voxels that they cross, as points along them do, and end at what is solid."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import make_pose
from cooptrack_ros.occupancy.grids import GRIDS, Grid
from cooptrack_ros.occupancy.rays import camera_rays, visited

GRID = Grid((-2.0, -3.0, 1.0), (0.5, 0.25, 1.0), (8, 12, 5))


def by_points(grid, start, end):
    """Return the voxels in which points of a ray lie, many of them."""
    points = start + np.linspace(0, 1, 200_001)[:, None] * (end - start)
    inside, flat = grid.indices(points)
    seen = np.zeros(int(np.prod(grid.shape)), bool)
    seen[flat] = True
    return seen.reshape(grid.shape)


@pytest.mark.parametrize('seed', range(12))
def test_a_ray_visits_the_voxels_in_which_its_points_lie(seed):
    rng = np.random.default_rng(seed)
    start, end = rng.uniform([-4, -5, -1], [4, 2, 8], (2, 3))
    assert np.array_equal(visited(GRID, start, end[None]), by_points(GRID, start, end))


def test_many_rays_visit_what_each_visits_alone():
    rng = np.random.default_rng(7)
    start, ends = np.array([-0.1, -2.0, 2.2]), rng.uniform([-4, -5, -1], [4, 2, 8], (40, 3))
    alone = [visited(GRID, start, end[None]) for end in ends]
    assert np.array_equal(visited(GRID, start, ends), np.any(alone, axis=0))


def test_a_ray_along_an_axis_stays_in_its_row():
    seen = visited(GRID, np.array([-9.0, -2.9, 1.5]), np.array([[9.0, -2.9, 1.5]]))
    assert np.argwhere(seen).tolist() == [[i, 0, 0] for i in range(8)]


def test_a_ray_ends_in_the_first_solid_voxel():
    solid = np.zeros(GRID.shape, bool)
    solid[3, 0, 0] = solid[5, 0, 0] = True
    seen = visited(GRID, np.array([-9.0, -2.9, 1.5]), np.array([[9.0, -2.9, 1.5]]), solid)
    assert np.argwhere(seen).tolist() == [[i, 0, 0] for i in range(4)]


def test_no_ray_and_rays_past_the_grid_visit_nothing():
    assert not visited(GRID, np.zeros(3), np.zeros((0, 3))).any()
    assert not visited(GRID, np.array([9.0, 9.0, 9.0]), np.array([[12.0, 9.0, 9.0]])).any()


def test_rays_of_a_camera_lead_to_its_pixels():
    intrinsic = np.array([[400.0, 0, 310], [0, 410.0, 170], [0, 0, 1]])
    cam_from_lidar = make_pose([[0.01, -1.02, 0], [0, 0.02, -1], [0.98, 0, 0]], [0.1, 0.2, 0.3])
    projection = np.eye(4)
    projection[:3] = intrinsic @ cam_from_lidar[:3]
    start, ends = camera_rays(projection, (640, 360))
    assert len(ends) == 80 * 45
    for share in (0.1, 1.0):
        pixel = np.c_[start + share * (ends - start), np.ones(len(ends))] @ projection.T
        assert (pixel[:, 2] > 0).all()
        assert pixel[81, :2] / pixel[81, 2] == pytest.approx([11.5, 11.5])
    before = visited(GRIDS['mini'].vehicle, start, ends)
    assert before[85:].any() and not before[:75].any()
