"""Real photographs through decoding, geometry, overlay and a running node; nothing here is about accuracy."""

from array import array
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import yaml
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from support import shared
from support.ros_world import START_NS, EgoWorld, stamp

from cooptrack_msgs.msg import Calibration
from cooptrack_ros.common.config import apply_overrides
from cooptrack_ros.common.geometry import project_points
from cooptrack_ros.weights.store import open_model

SAMPLES = shared.FOLDER / 'reference/real_samples'
pytestmark = shared.needs('reference/real_samples')
CAMERA_HEIGHT_M = 1.3
"""Assumed: the sources do not tell it."""


def projection(folder: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the 3x4 projection of a forward camera above the lidar frame's ground, and its width and height."""
    info = yaml.safe_load((folder / 'camera_info.yaml').read_text())
    intrinsic = np.array(info['camera_matrix']['data']).reshape(3, 3)
    camera_from_lidar = np.array([[0, -1, 0, 0], [0, 0, -1, CAMERA_HEIGHT_M], [1, 0, 0, 0.0]])
    return intrinsic @ camera_from_lidar, (info['image_width'], info['image_height'])


def calibration(folder: Path) -> Calibration:
    """Return the calibration message of a folder of photographs."""
    matrix, (width, height) = projection(folder)
    return Calibration(header=Header(stamp=stamp(START_NS), frame_id='camera'), lidar_frame='ego/lidar',
                       base_frame='ego/base_link', width=width, height=height, img_from_lidar=matrix.reshape(-1),
                       base_from_lidar=np.eye(4).reshape(-1), is_rectified=False)


def message(path: Path, ns: int) -> CompressedImage:
    """Return a file as it is, as a driver would send it."""
    return CompressedImage(header=Header(stamp=stamp(ns), frame_id='camera'), format=path.suffix[1:],
                           data=array('B', path.read_bytes()))


def test_a_node_answers_real_jpegs_and_refuses_one_of_another_size(world):
    folder = SAMPLES / 'udacity_carnd_mit'
    package = open_model('random:mini')
    # Every query lives, so that there is something to look at.
    config = apply_overrides(package.config, {'tracker_cooperative': {'score_threshold': 0.0, 'output_threshold': 0.0}})
    ego = EgoWorld(world, replace(package, config=config), calibrated=False)
    world.publish('/ego/ego_node/input/calibration', calibration(folder))
    world.until(lambda: ego.node.cameras.is_calibrated, 'the calibration')
    for path in sorted(folder.glob('test*.jpg')):
        answer = ego.frame(message(path, ego.now_ns))
        values = [[t.pose.position.x, t.pose.position.y, t.size.x, t.score] for t in answer.tracks]
        assert len(values) > 50 and np.isfinite(values).all()
    ego.send(message(SAMPLES / 'comma2k19_mit' / 'frame.png', ego.now_ns))
    ego.dropped('image', 'wrong_size')
    assert ego.frame(message(folder / 'test1.jpg', ego.now_ns)) is not None


def test_the_ground_ahead_is_below_the_horizon_and_narrows():
    for folder in sorted(p for p in SAMPLES.iterdir() if p.is_dir()):
        matrix, (width, height) = projection(folder)
        camera_image = cv2.imread(str(next(p for p in sorted(folder.iterdir()) if p.suffix in ('.jpg', '.png'))))
        assert camera_image.shape == (height, width, 3)
        full = np.vstack([matrix, [0, 0, 0, 1]])
        lane = np.array([[x, y, 0.0] for x in (8.0, 20.0, 60.0) for y in (1.8, -1.8)])
        pixels, depth = project_points(full, lane)
        assert (depth > 0).all()
        left, right = pixels[::2], pixels[1::2]
        assert (left[:, 0] < right[:, 0]).all() and (np.diff(right[:, 0] - left[:, 0]) < 0).all()
        assert (np.diff(left[:, 1]) < 0).all() and left[-1, 1] > height * 0.4
