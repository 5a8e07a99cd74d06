"""The renderer shows markers where RViz would, and forgets them when RViz would."""

from types import SimpleNamespace as Obj

import cv2
import numpy as np
import pytest
import rviz_display as images
from rviz_display import MarkerDisplay, draw_from_above, draw_in_camera

from cooptrack_ros.common.geometry import make_pose, rotation_z

S = 1_000_000_000
LIDAR = {'lidar': np.eye(4)}


def xyz(x, y, z=0.0):
    return Obj(x=float(x), y=float(y), z=float(z))


def marker(kind, at=(0, 0, 0), points=(), size=(1, 1, 1), rgb=(0.0, 0.0, 1.0), opacity=1.0, frame='lidar', ns='boxes',
           number=1, action=images.ADD, life_s=0, words=''):
    """Return what a Marker message looks like."""
    return Obj(header=Obj(frame_id=frame), ns=ns, id=number, action=action, type=kind, text=words,
               pose=Obj(position=xyz(*at), orientation=Obj(x=0.0, y=0.0, z=0.0, w=1.0)), scale=xyz(*size),
               color=Obj(r=rgb[0], g=rgb[1], b=rgb[2], a=opacity), points=[xyz(*p) for p in points],
               lifetime=Obj(sec=life_s, nanosec=0))


def blue(image):
    """Return mean row and column of what is drawn in blue; the axes of frames are red and green."""
    found = np.argwhere((image[..., 0] > 200) & (image[..., 1] < 60) & (image[..., 2] < 60))
    return found.mean(0), len(found)


def test_forward_is_up_and_left_is_left():
    (row, column), count = blue(draw_from_above([marker(images.CUBE, (20, 10, 0), size=(4, 2, 1))], LIDAR, 400, 50))
    assert abs(row - (200 - 20 * 4)) < 1.5 and abs(column - (200 - 10 * 4)) < 1.5
    assert 16 * 8 <= count <= 20 * 12


def test_a_marker_of_another_frame_is_moved_to_the_view():
    ahead = make_pose(rotation_z(np.pi / 2), [5.0, 0.0, 0.0])
    (row, column), _ = blue(draw_from_above([marker(images.CUBE, (10, 0, 0), frame='map')], LIDAR | {'map': ahead},
                                           400, 50))
    assert abs(row - (200 - 5 * 4)) < 2.5 and abs(column - (200 - 10 * 4)) < 2.5


def test_a_marker_in_an_unknown_frame_is_an_error():
    with pytest.raises(ValueError, match="'nowhere'.*lidar"):
        draw_from_above([marker(images.CUBE, frame='nowhere')], LIDAR)


@pytest.mark.parametrize('drawn', [
    marker(images.LINE_STRIP, points=[(10, 10), (20, 10), (30, 10)], size=(0.5, 0, 0)),
    marker(images.LINE_LIST, points=[(10, 10), (15, 10), (25, 10), (30, 10)], size=(0.5, 0, 0)),
    marker(images.ARROW, points=[(10, 10), (30, 10)], size=(0.5, 1, 1)),
    marker(images.LINE_STRIP, (10, 10, 0), points=[(0, 0), (20, 0)], size=(0.5, 0, 0))],
    ids=['strip', 'list', 'arrow', 'posed strip'])
def test_lines_and_arrows_run_along_their_points(drawn):
    (row, column), count = blue(draw_from_above([drawn], LIDAR, 400, 50))
    assert abs(row - 120) < 6 and abs(column - 160) < 2 and count > 40


def test_text_stands_at_its_place_and_can_be_read():
    image = draw_from_above([marker(images.TEXT, (20, 10, 0), words='car 7', size=(0, 0, 0.8))], LIDAR, 400, 50)
    (row, column), count = blue(image)
    assert abs(row - 120) < 6 and abs(column - 160) < 10 and count > 10


def test_a_box_ahead_is_drawn_in_the_middle_of_the_camera_image_and_one_behind_is_not():
    camera = np.array([[100.0, -100.0, 0, 0], [50.0, 0, -100.0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1.0]])
    empty = np.zeros((100, 200, 3), np.uint8)
    image = draw_in_camera([marker(images.CUBE, (10, 0, 0), size=(2, 2, 2))], LIDAR, empty, camera)
    (row, column), count = blue(image)
    assert abs(row - 50) < 1 and abs(column - 100) < 1 and count > 300
    left, _ = blue(draw_in_camera([marker(images.CUBE, (10, 4, 0), size=(2, 2, 2))], LIDAR, empty, camera))
    assert left[1] < 80
    assert not draw_in_camera([marker(images.CUBE, (-10, 0, 0))], LIDAR, empty, camera).any()
    assert not empty.any()


def test_a_display_replaces_deletes_and_clears():
    display = MarkerDisplay()
    display.take([marker(images.CUBE, number=1), marker(images.CUBE, number=2)], 0)
    display.take([marker(images.CUBE, (5, 0, 0), number=1), marker(0, number=2, action=images.DELETE)], S)
    shown, = display.visible(S)
    assert (shown.id, shown.pose.position.x) == (1, 5.0)
    display.take([marker(0, ns='', number=0, action=images.DELETE_ALL), marker(images.CUBE, number=3)], S)
    assert [m.id for m in display.visible(S)] == [3]


def test_a_marker_vanishes_after_its_lifetime_unless_it_is_sent_again():
    display = MarkerDisplay()
    display.take([marker(images.CUBE, number=1, life_s=2), marker(images.CUBE, number=2)], 0)
    assert len(display.visible(2 * S - 1)) == 2
    assert [m.id for m in display.visible(2 * S)] == [2]
    display.take([marker(images.CUBE, number=1, life_s=2)], S)
    assert len(display.visible(2 * S)) == 2


def test_text_lies_on_top_of_boxes():
    display = MarkerDisplay()
    display.take([marker(images.TEXT, ns='label'), marker(images.CUBE)], 0)
    assert [m.type for m in display.visible(0)] == [images.CUBE, images.TEXT]


def test_what_cannot_be_drawn_is_an_error_not_a_gap():
    with pytest.raises(ValueError, match='type 10'):
        MarkerDisplay().take([marker(10)], 0)


def test_translucent_boxes_let_the_grid_through():
    image = draw_from_above([marker(images.CUBE, (5, 5, 0), size=(30, 30, 1), opacity=0.3)], LIDAR, 400, 50)
    plain = draw_from_above([], LIDAR, 400, 50)
    inside = cv2.absdiff(image, plain)[185:195, 185:195, 0]
    assert inside.max() < 100 and inside.min() > 30
