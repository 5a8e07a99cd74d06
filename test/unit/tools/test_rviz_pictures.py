"""The command draws the markers of a recorded bag as a node published them."""

import cv2
import numpy as np
import pytest
import rviz_pictures
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from cooptrack_msgs.msg import Calibration, TrackArray
from cooptrack_ros.common.config import R50
from cooptrack_ros.common.geometry import make_pose
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.bags.types import LATCHED, VOLATILE
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.wire.arrays import set_stamp
from cooptrack_ros.wire.marker_board import MarkerBoard
from cooptrack_ros.wire.markers import track_markers, trail_markers, vehicle_marker

NODE = '/ego/ego_node'
START_NS = 1_700_000_000_000_000_000


def header(stamp_ns, frame):
    result = Header(frame_id=frame)
    set_stamp(result.stamp, stamp_ns)
    return result


def box(x, y):
    return Boxes(np.array([[x, y, 0.0]]), np.array([[4.0, 2.0, 1.5]]), np.zeros(1), np.zeros((1, 2)),
                 np.zeros(1, np.int64), np.ones(1), np.array([3]))


@pytest.fixture
def recording(tmp_path):
    """Return a bag of three frames: a track 20 m ahead, then with a trail, then none."""
    board = MarkerBoard()
    pose = make_pose(np.eye(3), [1000.0, 0, 0])
    way = np.array([[1020.0, -10.0, 0.0], [1020.0, 0.0, 0.0]])
    jpeg = cv2.imencode('.jpg', np.full((60, 80, 3), 90, np.uint8))[1].tobytes()
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/ego/camera/calibration', Calibration(
            base_frame='ego/base_link', base_from_lidar=np.eye(4).reshape(-1),
            img_from_lidar=np.array([[40.0, -50.0, 0, 0], [30.0, 0, -50.0, 0], [1.0, 0, 0, 0]]).reshape(-1)), START_NS,
            LATCHED)
        for i in range(3):
            stamp = START_NS + i * 100_000_000
            own, fixed = header(stamp, 'ego/lidar'), header(stamp, 'map')
            markers = track_markers(box(20.0, 0.0), own, R50.class_names) if i < 2 else []
            markers += [vehicle_marker(header(stamp, 'ego/base_link'))] if i < 2 else []
            markers += trail_markers([(3, way)], fixed, [(0.0, 1.0, 0.0)]) if i == 1 else []
            bag.write('/ego/camera/image/compressed', CompressedImage(header=own, data=jpeg), stamp, VOLATILE)
            bag.write(f'{NODE}/output/tracks', TrackArray(
                header=own, map_frame='map', map_from_lidar=pose.reshape(-1)), stamp, VOLATILE)
            bag.write(f'{NODE}/output/markers', board.update(markers, own), stamp, VOLATILE)
    return tmp_path / 'bag'


def draw(recording, *options):
    out = recording.parent / 'images'
    assert rviz_pictures.main([str(recording), '-o', str(out), '--step', '1', *options]) == 0
    return [cv2.imread(str(p)) for p in sorted(out.glob('markers_*.png'))]


def test_markers_are_drawn_from_above_and_in_the_camera_image(recording):
    images = draw(recording)
    assert [p.shape for p in images] == [(720, 720 + 960, 3)] * 3
    # 20 m ahead at 7.2 px/m; the trail comes from the right, 10 m to the side.
    ahead = 360 - 20 * 7.2
    with_track, with_trail, empty = (p[round(ahead) - 12:round(ahead) + 12, 350:450].astype(int) for p in images)
    assert np.abs(with_track[:, :20] - empty[:, :20]).max() > 60
    assert np.abs(with_trail[:, 40:70] - with_track[:, 40:70]).max() > 60
    vehicle = [p[345:375, 345:375].astype(int) for p in images]
    assert np.abs(vehicle[0] - vehicle[2]).max() > 60
    camera = [p[:, 720:].astype(int) for p in images]
    assert np.abs(camera[0] - camera[2])[300:420, 420:540].max() > 60
    assert camera[2].std() < 10


def test_namespaces_can_be_left_out(recording):
    plain = draw(recording)[2]
    hidden = draw(recording, '--exclude', 'boxes', 'heading', 'label', 'ego')[0]
    assert np.abs(hidden[40:].astype(int) - plain[40:]).max() < 30


def test_a_bag_without_markers_is_refused_by_name(recording, capsys):
    assert rviz_pictures.main([str(recording), '-o', 'x', '--node', '/infra/rsu_1/roadside_node']) == 2
    assert '/infra/rsu_1/roadside_node/output/markers' in capsys.readouterr().err
