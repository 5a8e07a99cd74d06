"""The stand-in for cv_bridge."""

import array

import numpy as np
import pytest
from cv_bridge import CvBridge, CvBridgeError
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

BRIDGE = CvBridge()


@pytest.mark.parametrize('encoding, dtype, channels', [
    ('bgr8', np.uint8, 3), ('rgb8', np.uint8, 3), ('bgra8', np.uint8, 4), ('rgba8', np.uint8, 4),
    ('mono8', np.uint8, 1), ('mono16', np.uint16, 1), ('16UC1', np.uint16, 1), ('32FC1', np.float32, 1)])
def test_an_image_survives_the_round_trip(encoding, dtype, channels):
    shape = (3, 5) if channels == 1 else (3, 5, channels)
    image = (np.random.default_rng(0).random(shape) * 255).astype(dtype)
    message = BRIDGE.cv2_to_imgmsg(image, encoding, header=Header(frame_id='camera'))
    assert (message.height, message.width, message.encoding, message.header.frame_id) == (3, 5, encoding, 'camera')
    assert message.step == 5 * channels * image.itemsize and isinstance(message.data, array.array)
    back = BRIDGE.imgmsg_to_cv2(message)
    assert back.dtype == dtype and back.flags.writeable
    np.testing.assert_array_equal(back, image)


def test_padded_rows_and_big_endian_are_read():
    message = Image(height=2, width=1, step=4, encoding='mono16', is_bigendian=1, data=[1, 2, 9, 9, 3, 4, 9, 9])
    assert BRIDGE.imgmsg_to_cv2(message).tolist() == [[0x0102], [0x0304]]


def test_channels_are_swapped_and_alpha_is_dropped_or_opaque():
    bgr = np.array([[[10, 20, 30]]], np.uint8)
    message = BRIDGE.cv2_to_imgmsg(bgr, 'bgr8')
    assert BRIDGE.imgmsg_to_cv2(message, 'rgb8').tolist() == [[[30, 20, 10]]]
    assert BRIDGE.imgmsg_to_cv2(message, 'rgba8').tolist() == [[[30, 20, 10, 255]]]
    rgba = BRIDGE.cv2_to_imgmsg(np.array([[[1, 2, 3, 4]]], np.uint8), 'rgba8')
    assert BRIDGE.imgmsg_to_cv2(rgba, 'bgr8').tolist() == [[[3, 2, 1]]]
    # Rec. 601: 0.299 * 30 + 0.587 * 20 + 0.114 * 10 = 21.85
    assert BRIDGE.imgmsg_to_cv2(message, 'mono8').tolist() == [[22]]


def test_passthrough_names_only_the_type():
    assert BRIDGE.cv2_to_imgmsg(np.zeros((2, 2, 3), np.uint8)).encoding == '8UC3'
    assert BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.float32)).encoding == '32FC1'


@pytest.mark.parametrize('suffix, tolerance', [('png', 0), ('jpg', 3)])
def test_compressed_images_come_back(suffix, tolerance):
    image = np.full((16, 16, 3), (40, 80, 160), np.uint8)
    message = BRIDGE.cv2_to_compressed_imgmsg(image, suffix)
    assert message.format == suffix
    back = BRIDGE.compressed_imgmsg_to_cv2(message)
    assert np.abs(back.astype(int) - image).max() <= tolerance
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message, 'rgb8'), back[..., ::-1])


def test_grey_files_become_colour_when_asked():
    message = BRIDGE.cv2_to_compressed_imgmsg(np.full((2, 2), 7, np.uint8), 'png')
    assert BRIDGE.compressed_imgmsg_to_cv2(message).shape == (2, 2)
    assert BRIDGE.compressed_imgmsg_to_cv2(message, 'bgr8').tolist() == [[[7, 7, 7]] * 2] * 2


@pytest.mark.parametrize('action, text', [
    (lambda: BRIDGE.imgmsg_to_cv2(Image(encoding='yuv422')), 'yuv422'),
    (lambda: BRIDGE.imgmsg_to_cv2(Image(height=2, width=2, step=6, encoding='bgr8', data=[0] * 5)), '5 bytes'),
    (lambda: BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(np.zeros((1, 1), np.float32)), 'bgr8'), 'convert 32FC1'),
    (lambda: BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.uint8), 'bgr8'), 'encoding specified as bgr8'),
    (lambda: BRIDGE.compressed_imgmsg_to_cv2(CompressedImage(format='jpg', data=[1, 2])), 'cannot decode 2 bytes'),
    (lambda: BRIDGE.compressed_imgmsg_to_cv2(CompressedImage(format='jpg')), 'cannot decode 0 bytes'),
    (lambda: BRIDGE.cv2_to_compressed_imgmsg(np.zeros((2, 2), np.uint8), 'nothing'), "encode as 'nothing'"),
])
def test_what_cannot_be_converted_is_a_clear_error(action, text):
    with pytest.raises(CvBridgeError, match=text):
        action()
