"""The band of the vehicle's images that the network gets."""

import numpy as np
import pytest

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.common.types import Frame, Side
from cooptrack_ros.model.image.view import cut, network_views, rows_in_view

F, ROWS, COLUMNS = 500.0, 600, 800


def camera(pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0, centre=(0.0, 0.0, 0.0)):
    """Return the projection (4, 4) of a camera that looks along x, its pitch counted downwards."""
    level = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    p, r, y = np.radians([pitch_deg, roll_deg, yaw_deg])
    down = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turned = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    heading = np.array([[np.cos(y), np.sin(y), 0], [-np.sin(y), np.cos(y), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[F, 0, COLUMNS / 2], [0, F, ROWS / 2], [0, 0, 1]]) @ turned @ down @ level @ heading
    matrix[:3, 3] = -matrix[:3, :3] @ centre
    return matrix


@pytest.mark.parametrize('yaw', [0.0, 90.0, 200.0])
def test_rows_are_those_between_the_elevations(yaw):
    rows = rows_in_view(camera(yaw_deg=yaw, centre=(3.0, -2.0, 1.9)), ROWS, (10, 20))
    up, down = F * np.tan(np.radians([10, 20]))
    assert rows == slice(int(ROWS / 2 - up), int(ROWS / 2 + down) + 1)


def test_a_camera_that_is_pitched_shows_the_same_elevations():
    pitch = 5.0
    rows = rows_in_view(camera(pitch), ROWS, (10, 20))
    up, down = F * np.tan(np.radians([10 + pitch, 20 - pitch]))
    assert rows == slice(int(ROWS / 2 - up), int(ROWS / 2 + down) + 1)


def test_an_upside_down_camera_has_the_same_band_turned_round():
    rows = rows_in_view(camera(roll_deg=180.0), ROWS, (10, 20))
    up, down = F * np.tan(np.radians([10, 20]))
    assert rows == slice(int(ROWS / 2 - down), int(ROWS / 2 + up) + 1)


@pytest.mark.parametrize('matrix', [camera(40.0), camera(90.0), camera(-40.0), np.zeros((4, 4)), np.eye(4)])
def test_a_camera_without_a_horizon_keeps_its_whole_image(matrix):
    assert rows_in_view(matrix, ROWS, (10, 20)) == slice(0, ROWS)


def test_a_band_ends_where_the_image_does():
    assert rows_in_view(camera(), ROWS, (60, 80)) == slice(0, ROWS)
    assert rows_in_view(camera(), ROWS, (60, 10)).start == 0


def test_a_point_is_seen_in_the_same_place_of_the_scene_after_the_cut():
    matrix = camera(3.0, 2.0, 10.0, (1.0, 0.5, 1.9))
    image = np.arange(ROWS)[:, None, None] + np.zeros((ROWS, COLUMNS, 3), int)
    seen, projection = cut(image, matrix, (10, 20))
    assert 0 < len(seen) < ROWS and np.shares_memory(seen, image)
    point = np.array([20.0, -3.0, 0.4, 1.0])
    before, after = matrix @ point, projection @ point
    before, after = before[:2] / before[2], after[:2] / after[2]
    assert after[0] == pytest.approx(before[0]) and 0 < after[1] < len(seen)
    assert seen[int(after[1]), 0, 0] == image[int(before[1]), 0, 0]


@pytest.mark.parametrize(('config', 'side'), [(R50, Side.VEHICLE), (R50, Side.ROADSIDE), (MINI, Side.ROADSIDE)])
def test_published_networks_and_roadside_units_see_whole_images(config, side):
    image, matrix = np.zeros((ROWS, COLUMNS, 3), np.uint8), camera()
    seen, projection = cut(image, matrix, config.view_of(side))
    assert seen is image and projection is matrix


@pytest.mark.parametrize('image', [np.zeros((0, COLUMNS, 3), np.uint8), np.zeros(5, np.uint8),
                                   np.zeros((ROWS, COLUMNS, 3), np.float32)])
def test_what_is_no_image_is_named(image):
    frame = Frame('drive', 0, (image,), camera()[None], np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match='an image must be uint8'):
        network_views(frame, MINI, Side.VEHICLE)
