"""Scans of a small world become its voxels: ground, wall, a thing with identity, what is free and what is seen."""

import numpy as np
import pytest

from cooptrack_ros.common.types import Boxes
from cooptrack_ros.occupancy.frame_labels import Thing, label_frame
from cooptrack_ros.occupancy.grids import Grid
from cooptrack_ros.occupancy.static_map import StaticMap, ground_height
from cooptrack_ros.occupancy.track_points import TrackPoints, from_box_frame, in_box_frame, split_scan

GRID = Grid((0.0, -4.0, -2.0), (0.5, 0.5, 0.5), (20, 16, 8))
GENERAL, CAR, GROUND, FREE = 0, 1, 4, 5
RNG = np.random.default_rng(3)


def lattice(x, y, z, step=0.1):
    axes = [np.arange(a, b + 1e-9, step) for a, b in (x, y, z)]
    return np.stack(np.meshgrid(*axes, indexing='ij'), -1).reshape(-1, 3)


FLOOR = lattice((0.2, 7.8), (-3.8, 3.8), (-1.7, -1.7))
WALL = lattice((8.2, 8.2), (-3.8, 3.8), (-1.6, 1.0))
SENSOR = np.array([0.0, 0.0, 0.3])


def world(*scans, static=None):
    static = static or StaticMap(np.array([-1.0, -5.0, -3.0]), np.array([11.0, 5.0, 3.0]), GRID.voxel)
    for points in scans:
        static.add(SENSOR, points, np.ones(len(points), bool))
    return static.finish()


def at(labels, x, y, z):
    i, j, k = GRID.places(np.array([x, y, z])).astype(int)
    return labels.semantics[i, j, k], labels.mask_lidar[i, j, k], labels.mask_camera[i, j, k]


def camera():
    projection = np.eye(4)
    projection[:3] = np.array([[400.0, 0, 640], [0, 400, 480], [0, 0, 1]]) @ np.array(
        [[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
    return projection, (1280, 960)


def test_ground_wall_free_and_unknown():
    scan = np.concatenate([FLOOR, WALL])
    labels = label_frame(GRID, np.eye(4), world(scan, scan), [], [camera()])
    assert at(labels, 4.2, 0.2, -1.7)[:2] == (GROUND, 1)
    assert at(labels, 8.2, 1.2, -0.2) == (GENERAL, 1, 1)
    assert at(labels, 5.2, 0.2, -0.2) == (FREE, 1, 1)
    assert at(labels, 9.2, 0.2, -0.2) == (FREE, 0, 0)


def test_what_a_single_scan_shows_above_the_ground_is_no_object():
    speck = lattice((4.0, 4.3), (1.0, 1.3), (-0.4, -0.1))
    with_speck = np.concatenate([FLOOR, WALL, speck])
    clean = np.concatenate([FLOOR, WALL])
    once = label_frame(GRID, np.eye(4), world(with_speck, clean, clean), [], [])
    twice = label_frame(GRID, np.eye(4), world(with_speck, with_speck, clean), [], [])
    assert at(once, 4.2, 1.2, -0.2)[0] == FREE
    assert at(twice, 4.2, 1.2, -0.2)[0] == GENERAL


def test_what_most_rays_cross_has_only_passed_by():
    passing = np.concatenate([FLOOR, WALL, lattice((4.0, 4.3), (1.0, 1.3), (-0.4, -0.1))])
    clean = np.concatenate([FLOOR, WALL])
    labels = label_frame(GRID, np.eye(4), world(passing, passing, *[clean] * 10), [], [])
    assert at(labels, 4.2, 1.2, -0.2)[0] == FREE


def test_a_thing_has_its_class_and_identity_and_hides_what_is_behind():
    scan = np.concatenate([FLOOR, WALL])
    thing = Thing(CAR, 7, 42, lattice((4.0, 4.4), (-1.0, 1.0), (-1.4, 0.9)))
    labels = label_frame(GRID, np.eye(4), world(scan, scan), [thing], [camera()])
    assert at(labels, 4.2, 0.2, -0.2) == (CAR, 1, 1)
    assert labels.instances[8, 8, 3] == 7 and labels.identity.tolist() == [7] and labels.track_id.tolist() == [42]
    assert at(labels, 8.2, 0.2, -0.2) == (GENERAL, 1, 0)
    assert at(labels, 6.2, 0.2, -0.2) == (FREE, 1, 0)


def test_what_is_above_the_grid_hides_from_a_camera_above_it():
    high = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -4.0], [0, 0, 0, 1]])
    projection, size = camera()
    roof = lattice((3.0, 3.4), (-3.0, 3.0), (1.0, 5.0))
    # Looks down from 4 m.
    tilt = np.array([[0.8, 0, -0.6, 0], [0, 1, 0, 0], [0.6, 0, 0.8, 0], [0, 0, 0, 1]])
    above = projection @ tilt @ high, size
    static = StaticMap(np.array([-1.0, -5.0, -3.0]), np.array([11.0, 5.0, 6.0]), GRID.voxel)
    scan = np.concatenate([FLOOR, WALL])
    seen = label_frame(GRID, np.eye(4), world(scan, scan), [], [above]).mask_camera
    hidden = label_frame(GRID, np.eye(4), world(*[np.concatenate([scan, roof])] * 2, static=static), [],
                         [above]).mask_camera
    assert seen[12:16, 8, 0].any() and not hidden[12:16, 8, 0].any()
    assert seen.shape == GRID.shape == hidden.shape


def test_labels_do_not_depend_on_the_world_frame():
    moved = np.array([[0.0, -1, 0, 300.0], [1, 0, 0, -70.0], [0, 0, 1, 5.0], [0, 0, 0, 1]])
    scan = np.concatenate([FLOOR, WALL])
    static = StaticMap(np.array([295.0, -71.0, 2.0]), np.array([305.0, -59.0, 8.0]), GRID.voxel)
    for _ in range(2):
        static.add(moved[:3, :3] @ SENSOR + moved[:3, 3], scan @ moved[:3, :3].T + moved[:3, 3],
                   np.ones(len(scan), bool))
    here = label_frame(GRID, np.eye(4), world(scan, scan), [], [])
    there = label_frame(GRID, np.linalg.inv(moved), static.finish(), [], [])
    assert (here.semantics == there.semantics).mean() > 0.99
    assert (here.mask_lidar == there.mask_lidar).mean() > 0.97


def test_the_ground_is_found_on_a_slope_under_walls():
    floor = RNG.uniform([0, 0, 0], [40, 10, 0], (8000, 3))
    floor[:, 2] = 0.1 * floor[:, 0] + RNG.normal(0, 0.02, len(floor))
    wall = np.stack([RNG.uniform(10, 30, 2000), np.full(2000, 5.0), RNG.uniform(3.2, 9.0, 2000)], 1)
    height = ground_height(np.concatenate([floor, wall]))
    assert np.abs(height[:8000] - 0.1 * floor[:, 0]).max() < 0.3
    assert np.abs(height[8000:] - 0.1 * wall[:, 0]).max() < 0.3
    assert len(ground_height(np.zeros((0, 3)))) == 0


BOX = Boxes(np.array([[10.0, -4.0, 1.0]]), np.array([[4.0, 2.0, 1.6]]), np.array([0.7]), np.zeros((1, 2)),
            np.zeros(1, int), np.ones(1), np.array([5]))


def test_points_of_a_box_go_to_its_frame_and_back():
    points = RNG.uniform(-20, 20, (50, 3))
    assert from_box_frame(BOX, 0, in_box_frame(BOX, 0, points)) == pytest.approx(points)
    assert in_box_frame(BOX, 0, np.array([[10 + np.cos(0.7), -4 + np.sin(0.7), 1.5]]))[0] == pytest.approx([1, 0, 0.5])


def test_a_scan_is_split_at_the_boxes_and_the_ground_below_is_left_out():
    local = np.array([[1.9, 0.9, 0.7], [2.05, 0, 0], [2.15, 0, 0], [2.5, 0, 0], [0, 0, -0.75]])
    (own,), standing = split_scan(BOX, from_box_frame(BOX, 0, local))
    assert own == pytest.approx(local[:2])
    assert standing.tolist() == [False, False, False, True, False]


def test_shapes_are_clipped_to_the_box_and_mirrored_for_cars():
    shapes = TrackPoints()
    for _ in range(30):
        shapes.add('a', np.array([[2.05, 0.95, 0.3], [0.0, 0.5, 0.0]]))
    plain, mirrored = (shapes.of('a', BOX.size[0], mirrored) for mirrored in (False, True))
    assert len(plain) == 2 and len(mirrored) == 4
    assert (np.abs(mirrored) < BOX.size[0] / 2).all()
    assert sorted(mirrored[:, 1].round(2).tolist()) == [-0.95, -0.5, 0.5, 0.95]
    assert len(shapes.of('never seen', BOX.size[0], True)) == 0
