"""Mirrored scenes stay consistent."""

import numpy as np

from cooptrack_ros.common.geometry import make_pose, project_points, rotation_z, transform_points
from cooptrack_ros.common.types import Boxes, Frame
from cooptrack_ros.train.augment import grid_mask, mirror_boxes, mirror_frame, photometric


def scene():
    """Return a frame and a box."""
    axes = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], float)
    intrinsic = np.eye(4)
    intrinsic[0, 0] = intrinsic[1, 1] = 100.0
    intrinsic[0, 2], intrinsic[1, 2] = 60.0, 30.0
    image = np.random.default_rng(0).integers(0, 255, (60, 120, 3), dtype=np.uint8)
    frame = Frame('s', 0, (image,), (intrinsic @ make_pose(axes, [0, 0, 0]))[None], np.eye(4),
                  make_pose(rotation_z(0.3), [5, 6, 0]))
    boxes = Boxes(np.array([[20.0, 3, 0]]), np.array([[4.0, 2, 1.5]]), np.array([0.4]), np.array([[1.0, 2.0]]),
                  np.zeros(1, np.int64), np.ones(1), np.zeros(1, np.int64))
    return frame, boxes


def test_a_mirrored_box_projects_to_the_mirrored_pixel():
    frame, boxes = scene()
    mirrored, mirrored_boxes = mirror_frame(frame), mirror_boxes(boxes)
    pixel, _ = project_points(frame.img_from_lidar[0], boxes.centre)
    other, _ = project_points(mirrored.img_from_lidar[0], mirrored_boxes.centre)
    assert np.allclose(other[0], [119 - pixel[0, 0], pixel[0, 1]])
    assert np.array_equal(mirrored.images[0][:, ::-1], frame.images[0])


def test_mirroring_keeps_poses_rigid_and_world_points_consistent():
    frame, boxes = scene()
    mirrored, mirrored_boxes = mirror_frame(frame), mirror_boxes(boxes)
    assert np.isclose(np.linalg.det(mirrored.global_from_lidar[:3, :3]), 1)
    world = transform_points(frame.global_from_lidar, boxes.centre)
    other = transform_points(mirrored.global_from_lidar, mirrored_boxes.centre)
    assert np.allclose(other, world * [1, -1, 1])


def test_photometric_change_repeats_with_its_seed():
    frame, _ = scene()
    first = photometric(frame.images[0], np.random.default_rng(3), 0.5)
    second = photometric(frame.images[0], np.random.default_rng(3), 0.5)
    assert np.array_equal(first, second)
    assert np.array_equal(photometric(frame.images[0], np.random.default_rng(3), 0.0), frame.images[0])


def test_a_grid_mask_keeps_stripes_and_hides_cells():
    for seed in range(20):
        mask = grid_mask(48, 80, np.random.default_rng(seed))
        assert mask.shape == (48, 80) and set(np.unique(mask)) <= {0.0, 1.0}
        rows, columns = mask.all(1), mask.all(0)
        assert np.array_equal(mask.astype(bool), rows[:, None] | columns[None])
    shares = [grid_mask(48, 80, np.random.default_rng(seed)).mean() for seed in range(200)]
    assert 0.6 < np.mean(shares) < 0.85 and min(shares) < 0.6
