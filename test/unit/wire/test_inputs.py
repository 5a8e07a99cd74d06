"""Pictures, calibration, poses and pairs from messages."""

from array import array

import cv2
import numpy as np
import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cooptrack_msgs.msg import Calibration, PairTransform
from cooptrack_ros.wire.errors import WireError
from cooptrack_ros.wire.inputs import (
    check_camera_info,
    decode_calibration,
    decode_compressed,
    decode_odometry,
    decode_pair,
    decode_raw,
)

PIXELS = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)


def raw(encoding, pixels, padding=0):
    """Return a raw picture with padded rows."""
    rows = pixels.reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return Image(encoding=encoding, height=pixels.shape[0], width=pixels.shape[1], step=rows.shape[1],
                 data=array('B', rows.tobytes()))


def calibration():
    """Return a plausible calibration."""
    projection = np.array([[20.0, -30, 0, 0], [10, 0, -30, 0], [1, 0, 0, 0]])
    return Calibration(lidar_frame='l', base_frame='b', width=6, height=4, img_from_lidar=projection.reshape(-1),
                       base_from_lidar=np.diag([1, 1.01, 1, 1]).reshape(-1))


@pytest.mark.parametrize('padding', [0, 5])
def test_raw_pictures_become_bgr_whatever_their_order_and_row_padding(padding):
    assert np.array_equal(decode_raw(raw('bgr8', PIXELS, padding)), PIXELS)
    assert np.array_equal(decode_raw(raw('rgb8', PIXELS[..., ::-1].copy(), padding)), PIXELS)
    grey = decode_raw(raw('mono8', PIXELS[..., :1].copy(), padding))
    assert np.array_equal(grey, np.repeat(PIXELS[..., :1], 3, axis=2))


@pytest.mark.parametrize('spoil', [
    {'encoding': '16UC1'}, {'width': 7}, {'height': 0}, {'step': 3}, {'data': array('B')}])
def test_raw_picture_that_contradicts_itself_is_refused(spoil):
    message = raw('bgr8', PIXELS)
    for name, value in spoil.items():
        setattr(message, name, value)
    with pytest.raises(WireError) as refused:
        decode_raw(message)
    assert refused.value.reason == 'unreadable_image'


def test_compressed_picture_is_decoded_and_rubbish_refused():
    _, data = cv2.imencode('.png', PIXELS)
    assert np.array_equal(decode_compressed(CompressedImage(data=array('B', data.tobytes()))), PIXELS)
    for bad in (b'', b'no picture'):
        with pytest.raises(WireError) as refused:
            decode_compressed(CompressedImage(data=array('B', bad)))
        assert refused.value.reason == 'unreadable_image'


def test_calibration_keeps_matrices_that_are_no_rotations():
    model = decode_calibration(calibration())
    assert model.base_from_lidar[1, 1] == 1.01
    assert model.img_from_lidar.shape == (4, 4)
    assert model.img_from_lidar[3].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(('field', 'value', 'reason'), [
    ('width', 0, 'bad_calibration'), ('img_from_lidar', np.zeros(12), 'bad_calibration'),
    ('base_from_lidar', np.zeros(16), 'bad_calibration'), ('img_from_lidar', np.full(12, np.nan), 'not_finite')])
def test_broken_calibration_is_refused(field, value, reason):
    message = calibration()
    setattr(message, field, value)
    with pytest.raises(WireError) as refused:
        decode_calibration(message)
    assert refused.value.reason == reason


def test_camera_info_of_an_uncalibrated_camera_is_refused():
    with pytest.raises(WireError, match='not calibrated'):
        check_camera_info(CameraInfo(width=6, height=4))


def test_odometry_gives_stamp_and_pose_and_refuses_an_empty_quaternion():
    message = Odometry()
    message.header.stamp.sec, message.header.stamp.nanosec = 3, 4
    message.pose.pose.position.x = 2.0
    message.pose.pose.orientation.w, message.pose.pose.orientation.z = np.cos(0.25), np.sin(0.25)
    stamp, pose = decode_odometry(message)
    assert stamp == 3_000_000_004
    np.testing.assert_allclose(pose[:2, :2], [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    message.pose.pose.orientation.w = message.pose.pose.orientation.z = 0.0
    with pytest.raises(WireError) as refused:
        decode_odometry(message)
    assert refused.value.reason == 'bad_pose'


def test_singular_pair_is_refused():
    with pytest.raises(WireError) as refused:
        decode_pair(PairTransform())
    assert refused.value.reason == 'bad_pose'
