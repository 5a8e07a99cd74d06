"""The calibration of an agent that moves tells where it was; that of the stamp of an image counts."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time

from cooptrack_msgs.msg import Calibration
from cooptrack_ros.nodes.inputs.camera_input import CameraInput
from cooptrack_ros.nodes.settings import RoadsideSettings

MS = 1_000_000
PROJECTION = [20.0, -30.0, 0.0, 0.0, 10.0, 0.0, -30.0, 0.0, 1.0, 0.0, 0.0, 0.0]


@pytest.fixture
def camera():
    """Give a camera that waits for nothing."""
    return CameraInput(SimpleNamespace(settings=RoadsideSettings(), arrived=threading.Condition()), 'map')


def tell(camera, stamp_ms, x):
    """Give the camera a calibration that says where its agent stands."""
    pose = np.eye(4)
    pose[0, 3] = x
    message = Calibration(lidar_frame='lidar', base_frame='map', width=64, height=32, is_rectified=True,
                          img_from_lidar=PROJECTION, base_from_lidar=pose.reshape(-1))
    message.header.stamp = Time(sec=10, nanosec=stamp_ms * MS)
    camera._on_calibration(message)


def place(camera, stamp_ms):
    """Return where the agent stands for an image."""
    return camera._model_at(10**10 + stamp_ms * MS).base_from_lidar[0, 3]


def test_an_image_is_placed_by_the_calibration_of_its_stamp_or_the_last_before(camera):
    for k in range(4):
        tell(camera, 100 * k, float(k))
    assert [place(camera, ms) for ms in (0, 100, 199, 200, 300, 900)] == [0, 1, 1, 2, 3, 3]


def test_an_image_before_all_calibrations_has_the_last_one(camera):
    tell(camera, 500, 5.0)
    assert place(camera, 0) == 5.0


def test_a_calibration_that_comes_again_with_its_old_stamp_counts(camera):
    tell(camera, 0, 1.0)
    tell(camera, 0, 2.0)
    assert place(camera, 300) == 2.0


def test_after_a_jump_back_what_came_before_does_not_count(camera):
    for k in range(4):
        tell(camera, 100 * k, float(k))
    tell(camera, 50, 9.0)
    assert [place(camera, ms) for ms in (40, 60, 300)] == [9.0, 9.0, 9.0]
