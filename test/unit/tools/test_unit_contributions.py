"""The view of several roadside units shows which unit contributed to what."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from unit_contributions import draw_units, unit_views

from cooptrack_ros.common.colours import PROVENANCE_COLOURS
from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.dataset import CameraFrame
from cooptrack_ros.viz.bev import BevView
from cooptrack_ros.viz.draw import bgr, bgr_of

PLACES = np.array([[20.0, 10.0, 0.0], [20.0, -10.0, 0.0], [-20.0, 0.0, 0.0]])
ROWS = [{'tracking_id': str(i)} for i in (4, 5, 6)]


@pytest.fixture
def partners(tmp_path):
    """Return two units ahead of the vehicle that look at it."""
    path = tmp_path / 'picture.jpg'
    cv2.imwrite(str(path), np.zeros((90, 160, 3), np.uint8))
    intrinsic = np.array([[80.0, 0, 80], [0, 80, 45], [0, 0, 1]])
    cam_from_lidar = make_pose(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
    return {name: SimpleNamespace(
        infra=SimpleNamespace(cameras=(CameraFrame('camera', path, 0, intrinsic, cam_from_lidar, np.zeros(5)),)),
        ego_from_infra=make_pose(rotation_z(np.pi), np.array([45.0, y, 0.0])))
        for name, y in (('a', 12.0), ('b', -12.0))}


def test_each_track_has_the_colour_of_the_unit_that_contributed(partners):
    world_from_lidar = make_pose(rotation_z(0.7), np.array([100.0, 200.0, 3.0]))
    world = PLACES @ world_from_lidar[:3, :3].T + world_from_lidar[:3, 3]
    links = [{'tracking_id': '4', 'unit': 'a', 'translation': world[0].tolist()},
             {'tracking_id': '5', 'unit': 'b', 'translation': world[1].tolist()}]
    units = unit_views(partners, ROWS, links, world_from_lidar)
    assert [u.rows.tolist() for u in units] == [[0], [1]]
    np.testing.assert_allclose([u.points[0] for u in units], PLACES[:2], atol=1e-9)
    tracks = Boxes(PLACES, np.tile([4.0, 2.0, 1.5], (3, 1)), np.zeros(3), np.zeros((3, 2)), np.zeros(3, np.int64),
                   np.ones(3), np.array([4, 5, 6]))
    image, view = draw_units(Boxes.empty(), tracks, units), BevView(900, 55.0)
    fronts = view.pixels(PLACES + [2.0, 0.0, 0.0]).round().astype(int)
    colours = [bgr_of(1), bgr_of(2), bgr(PROVENANCE_COLOURS[0])]
    for (x, y), colour in zip(fronts.tolist(), colours, strict=True):
        near = image[y - 2:y + 3, x - 4:x + 5].reshape(-1, 3).astype(int)
        assert np.abs(near - colour).max(axis=1).min() < 20


def test_a_frame_without_links_shows_the_units_all_the_same(partners):
    units = unit_views(partners, ROWS, [], np.eye(4))
    image, view = draw_units(Boxes.empty(), Boxes.empty(), units), BevView(900, 55.0)
    for unit, colour in zip(units, (bgr_of(1), bgr_of(2)), strict=True):
        x, y = view.pixels(unit.pair.ego_from_infra[:3, 3]).astype(int)
        near = image[y - 9:y + 10, x - 9:x + 10].reshape(-1, 3).astype(int)
        assert np.abs(near - colour).max(axis=1).min() < 20
