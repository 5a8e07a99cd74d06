"""An image whose header states another size than its camera has is refused before it is decoded."""

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.sensors.stated_size import stated_size
from cooptrack_ros.wire.views import check_stated_size

KINDS = ['.jpg', '.png']


def encoded(kind, size=(24, 16)):
    return cv2.imencode(kind, np.zeros((size[1], size[0], 3), np.uint8))[1].tobytes()


def message(data):
    return CompressedImage(data=array('B', data))


@pytest.mark.parametrize('kind', KINDS)
def test_the_size_is_read_from_the_header(kind):
    data = encoded(kind)
    assert stated_size(data) == (24, 16)
    assert [stated_size(data[:n]) for n in (0, 1, 8, 16)] == [None] * 4


@pytest.mark.parametrize('kind', KINDS)
def test_another_size_than_that_of_the_camera_is_refused_without_decoding(kind):
    image = message(encoded(kind)[:-12])
    check_stated_size(image, (24, 16))
    with pytest.raises(WireError, match='image of 24x16, the calibration is for 16x24') as refused:
        check_stated_size(image, (16, 24))
    assert refused.value.reason == 'wrong_size'


def test_a_raw_image_is_checked_too():
    check_stated_size(Image(width=24, height=16), (24, 16))
    with pytest.raises(WireError, match='24x16'):
        check_stated_size(Image(width=24, height=16), (24, 17))


def test_a_huge_image_is_refused_although_its_camera_is_not_known_yet():
    data = bytearray(encoded('.jpg'))
    at = data.index(b'\xff\xc0')
    data[at + 5:at + 9] = (65000).to_bytes(2, 'big') * 2
    with pytest.raises(WireError, match='image of 65000x65000, expected at most 100 million'):
        check_stated_size(message(data), None)
    check_stated_size(message(encoded('.jpg')), None)


def test_what_states_no_size_is_left_to_the_decoder():
    check_stated_size(message(b'GIF89a'), (24, 16))
