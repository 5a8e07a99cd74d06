"""Images from messages and back."""

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.images import decode_compressed, decode_image, decode_raw, encode_jpeg, encode_raw

PIXELS = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)


def raw(encoding, pixels, padding=0):
    """Return a raw image with padded rows."""
    rows = pixels.reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return Image(encoding=encoding, height=pixels.shape[0], width=pixels.shape[1], step=rows.shape[1],
                 data=array('B', rows.tobytes()))


@pytest.mark.parametrize('padding', [0, 5])
def test_raw_images_become_bgr_whatever_their_order_and_row_padding(padding):
    assert np.array_equal(decode_raw(raw('bgr8', PIXELS, padding)), PIXELS)
    assert np.array_equal(decode_raw(raw('rgb8', PIXELS[..., ::-1].copy(), padding)), PIXELS)
    grey = decode_raw(raw('mono8', PIXELS[..., :1].copy(), padding))
    assert np.array_equal(grey, np.repeat(PIXELS[..., :1], 3, axis=2))


@pytest.mark.parametrize('spoil', [
    {'encoding': '16UC1'}, {'width': 7}, {'height': 0}, {'step': 3}, {'data': array('B')}])
def test_raw_image_that_contradicts_itself_is_refused(spoil):
    message = raw('bgr8', PIXELS)
    for name, value in spoil.items():
        setattr(message, name, value)
    with pytest.raises(WireError) as refused:
        decode_raw(message)
    assert refused.value.reason == 'unreadable_image'


def test_compressed_image_is_decoded_and_rubbish_refused():
    _, data = cv2.imencode('.png', PIXELS)
    assert np.array_equal(decode_compressed(CompressedImage(data=array('B', data.tobytes()))), PIXELS)
    for bad in (b'', b'no image'):
        with pytest.raises(WireError) as refused:
            decode_compressed(CompressedImage(data=array('B', bad)))
        assert refused.value.reason == 'unreadable_image'


def test_images_survive_the_way_out_and_back():
    header = Header(frame_id='camera')
    raw_message, jpeg = encode_raw(PIXELS, header), encode_jpeg(PIXELS, header)
    assert np.array_equal(decode_image(raw_message), PIXELS)
    assert decode_image(jpeg).shape == PIXELS.shape
    assert raw_message.header.frame_id == jpeg.header.frame_id == 'camera'
