"""Calibration, CameraInfo and lenses."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from cooptrack_msgs.msg import Calibration
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.wire.cameras import (
    check_agreement,
    check_camera_info,
    check_frame,
    decode_calibration,
    decode_camera_info,
)

K = np.array([[50.0, 0, 32], [0, 55, 16], [0, 0, 1]])
P = np.array([[40.0, 0, 30, -4], [0, 40, 15, 0], [0, 0, 1, 0]])


def refusal(function, *arguments) -> str:
    """Return the reason for which a message is refused."""
    with pytest.raises(WireError) as refused:
        function(*arguments)
    return refused.value.reason


def camera_info(**changes) -> CameraInfo:
    """Return a calibrated camera whose raw and rectified images differ."""
    message = CameraInfo(width=64, height=32, distortion_model='plumb_bob', d=[-0.2, 0.05, 0.0, 0.0, 0.0],
                         k=K.reshape(-1), p=P.reshape(-1))
    message.header.frame_id = 'camera'
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def calibration():
    """Return a plausible calibration."""
    projection = np.array([[20.0, -30, 0, 0], [10, 0, -30, 0], [1, 0, 0, 0]])
    return Calibration(lidar_frame='l', base_frame='b', width=40, height=20, img_from_lidar=projection.reshape(-1),
                       base_from_lidar=np.diag([1, 1.01, 1, 1]).reshape(-1))


def test_calibration_keeps_matrices_that_are_no_rotations():
    model = decode_calibration(calibration())
    assert model.base_from_lidar[1, 1] == 1.01
    assert model.img_from_lidar.shape == (4, 4)
    assert model.img_from_lidar[3].tolist() == [0, 0, 0, 1]


SINGULAR = np.eye(4)
"""A rotation and a translation that a last row turns into a matrix that cannot be inverted."""
SINGULAR[0, 3], SINGULAR[3, 0] = 2.0 ** 20, 2.0 ** -20


@pytest.mark.parametrize(('field', 'value', 'reason'), [
    ('width', 0, 'bad_calibration'), ('img_from_lidar', np.zeros(12), 'bad_calibration'),
    ('base_from_lidar', np.zeros(16), 'bad_calibration'), ('base_from_lidar', SINGULAR.ravel(), 'bad_calibration'),
    ('img_from_lidar', np.full(12, np.nan), 'not_finite')])
def test_broken_calibration_is_refused(field, value, reason):
    message = calibration()
    setattr(message, field, value)
    with pytest.raises(WireError) as refused:
        decode_calibration(message)
    assert refused.value.reason == reason


def test_camera_info_of_an_uncalibrated_camera_is_refused():
    with pytest.raises(WireError, match='not calibrated'):
        check_camera_info(CameraInfo(width=6, height=4))


def test_camera_info_that_contradicts_the_calibration_is_refused():
    model = decode_calibration(calibration())
    assert refusal(check_agreement, camera_info(), model) == 'wrong_size'
    message = calibration()
    message.width, message.height, message.header.frame_id = 64, 32, 'other'
    assert refusal(check_agreement, camera_info(), decode_calibration(message)) == 'wrong_frame'


def test_what_is_for_images_of_another_size_is_refused_by_name():
    halved = calibration()
    halved.width, halved.height = 20, 10
    by_columns = camera_info(k=K.T.reshape(-1))
    for decode, message, text in (
            (decode_calibration, halved, 'img_from_lidar is not for images of 20x10.*cx 20.0 of 20'),
            (lambda m: decode_camera_info(m, False), by_columns, 'K is not for.*no camera matrix.*last row'),
            (lambda m: decode_camera_info(m, False), camera_info(width=32, height=16), 'K is not for.*cx 32.0 of 32'),
            (lambda m: decode_camera_info(m, True), camera_info(width=30, height=15), 'P is not for.*cx 30.0 of 30')):
        with pytest.raises(WireError, match=text) as refused:
            decode(message)
        assert refused.value.reason == 'bad_calibration'


def test_frames_that_are_not_named_are_not_compared():
    check_frame('the image', '', 'camera')
    check_frame('the image', 'camera', '')
    assert refusal(check_frame, 'the image', 'left', 'right') == 'wrong_frame'


def test_rectified_images_use_p_and_raw_ones_k_and_the_lens():
    rectified, raw = decode_camera_info(camera_info(), True), decode_camera_info(camera_info(), False)
    np.testing.assert_array_equal(rectified.img_from_camera, P)
    assert rectified.lens is None
    np.testing.assert_array_equal(raw.img_from_camera[:, :3], K)
    np.testing.assert_array_equal(raw.lens.coefficients, [-0.2, 0.05, 0, 0, 0])


def test_mounted_camera_projects_through_the_transform():
    camera_from_lidar = make_pose(np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]), [0.1, 0.2, 0.3])
    model = decode_camera_info(camera_info(d=[]), False).mounted(camera_from_lidar, np.eye(4), 'lidar', 'base')
    point = np.array([10.0, 1.0, 0.5, 1.0])
    in_camera = camera_from_lidar @ point
    u, v, depth = (model.img_from_lidar @ point)[:3]
    np.testing.assert_allclose([u / depth, v / depth], (K @ in_camera[:3] / in_camera[2])[:2])
    assert (model.camera_frame, model.lidar_frame, model.base_frame) == ('camera', 'lidar', 'base')


@pytest.mark.parametrize(('changes', 'rectified', 'reason'), [
    ({'k': np.zeros(9)}, False, 'bad_calibration'), ({'width': 0}, True, 'bad_calibration'),
    ({'p': np.zeros(12)}, True, 'bad_calibration'), ({'k': np.full(9, np.nan)}, True, 'bad_calibration'),
    ({'distortion_model': 'magic'}, False, 'unknown_distortion'), ({'d': [0.1]}, False, 'unknown_distortion'),
    ({'d': [np.nan] * 5}, False, 'not_finite')])
def test_unusable_camera_info_is_refused(changes, rectified, reason):
    assert refusal(decode_camera_info, camera_info(**changes), rectified) == reason


def test_camera_info_without_a_frame_is_refused():
    message = camera_info()
    message.header.frame_id = ''
    assert refusal(decode_camera_info, message, True) == 'wrong_frame'


def test_distortion_of_an_unknown_model_does_not_matter_where_it_is_not_used():
    assert decode_camera_info(camera_info(distortion_model='magic'), True).lens is None
    assert decode_camera_info(camera_info(distortion_model='magic', d=[0.0] * 5), False).lens is None


def raw_calibration(rotation) -> Calibration:
    """Return a calibration of raw images with K."""
    camera_from_lidar = make_pose(np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]) @ rotation, [0.1, 1.2, 0.3])
    message = calibration()
    message.width, message.height, message.img_from_lidar = 64, 32, (K @ camera_from_lidar[:3]).reshape(-1)
    message.distortion = [-0.2, 0.05, 0.0, 0.0, 0.0]
    return message


def test_lens_of_a_raw_calibration_has_the_k_of_its_projection():
    message = raw_calibration(rotation_z(0.2))
    np.testing.assert_allclose(decode_calibration(message).lens.matrix, K, atol=1e-9)
    message.is_rectified = True
    assert decode_calibration(message).lens is None


def test_raw_calibration_with_distortion_needs_a_rotation():
    roll = np.roll(rotation_z(0.3), (1, 1), (0, 1))
    assert decode_calibration(raw_calibration(roll)).lens is not None
    assert refusal(decode_calibration, raw_calibration(roll @ np.diag([1, 1.1, 1]))) == 'bad_calibration'
    assert refusal(decode_calibration, raw_calibration(np.diag([1, -1, 1]))) == 'bad_calibration'


def test_parameter_and_calibration_must_not_contradict_each_other():
    assert refusal(decode_calibration, calibration(), True) == 'bad_calibration'
    assert decode_calibration(calibration(), False).lens is None


def test_undistorted_image_shows_points_where_the_pinhole_puts_them():
    lens = decode_camera_info(camera_info(), False).lens
    point = np.array([0.5, 0.15, 1.0])
    bent, _ = cv2.projectPoints(point[None], np.zeros(3), np.zeros(3), K, lens.coefficients)
    image = np.zeros((32, 64, 3), np.uint8)
    cv2.circle(image, tuple(int(round(v)) for v in bent[0, 0]), 1, (255, 255, 255), -1)
    straight = (K @ point)[:2]
    rows, columns = np.nonzero(lens.undistort(image)[..., 0] > 100)
    seen = np.array([columns.mean(), rows.mean()])
    assert np.linalg.norm(seen - straight) < 0.8
    assert np.linalg.norm(bent[0, 0] - straight) > 1.0


@pytest.mark.parametrize(('model', 'count'), [('brown_conrady', 5), ('rational_polynomial', 12),
                                              ('rational_polynomial', 14)])
def test_lenses_under_the_names_and_with_the_coefficients_of_drivers(model, count):
    coefficients = [-0.2, 0.05, 0.001, 0.0] + [0.01] * (count - 4)
    lens = decode_camera_info(camera_info(distortion_model=model, d=coefficients), False).lens
    image = np.random.default_rng(0).integers(0, 255, (32, 64, 3), np.uint8)
    expected = cv2.undistort(image, K, np.array(coefficients))
    assert np.abs(lens.undistort(image).astype(int) - expected).max() <= 3


@pytest.mark.parametrize('is_rectified', [True, False])
def test_binning_and_region_of_interest_move_the_projection(is_rectified):
    whole = decode_camera_info(camera_info(), is_rectified)
    message = camera_info(binning_x=2, binning_y=4)
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 8, 4, 40, 24
    part = decode_camera_info(message, is_rectified)
    assert (part.width, part.height) == (20, 6)
    point = np.array([1.0, 0.5, 10.0, 1.0])
    (u, v), (x, y) = (p[:2] / p[2] for p in (camera.img_from_camera @ point for camera in (whole, part)))
    np.testing.assert_allclose([x, y], [(u - 8) / 2, (v - 4) / 4])
    if not is_rectified:
        np.testing.assert_allclose(part.lens.matrix, part.img_from_camera[:, :3])
        assert (part.lens.width, part.lens.height) == (20, 6)


def test_a_region_of_interest_that_cannot_be_used_is_named():
    message = camera_info()
    message.roi.width, message.roi.x_offset = 40, 30
    with pytest.raises(WireError, match='region of interest of 40x32 at 30, 0 of a sensor of 64x32'):
        decode_camera_info(message, False)
    message = camera_info()
    message.roi.width, message.roi.do_rectify = 40, True
    assert decode_camera_info(message, False).width == 40
    with pytest.raises(WireError, match='do_rectify.*image.rectified false'):
        decode_camera_info(message, True)


def test_camera_info_is_compared_with_the_calibration_as_its_images_are():
    model = decode_calibration(calibration())
    check_agreement(camera_info(width=80, height=40, binning_x=2, binning_y=2), model)
