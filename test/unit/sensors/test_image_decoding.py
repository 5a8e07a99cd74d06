"""Pictures are decoded no larger than a network needs, and their geometry stays exact."""

import cv2
import numpy as np
import pytest

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.model.image.preprocess import fit_image, least_size, prepare_projection
from cooptrack_ros.sensors.image_decoding import decode_picture


def scene(rows, columns):
    """Return a picture with edges and slopes."""
    y, x = np.mgrid[:rows, :columns]
    picture = np.stack([x * 255 / columns, y * 255 / rows, 127 + 100 * np.sin(x / 9) * np.cos(y / 7)], -1)
    picture[rows // 3:rows // 2, columns // 4:columns // 2] = (20, 200, 90)
    return picture.astype(np.uint8)


def encoded(picture, kind='.jpg', options=()):
    return cv2.imencode(kind, picture, list(options))[1].reshape(-1)


@pytest.mark.parametrize(('size', 'reduction'), [
    ((1080, 1920), 2), ((540, 960), 1), ((1152, 2048), 4), ((2304, 4096), 8), ((1080, 1918), 2), ((1081, 1920), 1),
    ((288, 512), 1), ((576, 1024), 2), ((576, 1022), 1)])
def test_a_jpeg_is_reduced_as_far_as_the_network_and_whole_numbers_allow(size, reduction):
    picture = decode_picture(encoded(np.zeros((*size, 3), np.uint8)), least_size(MINI))
    assert picture.reduction == reduction
    assert picture.size == size and picture.pixels.shape == (size[0] // reduction, size[1] // reduction, 3)


@pytest.mark.parametrize('options', [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_what_the_network_sees_hardly_changes(options):
    data = encoded(scene(1080, 1920), options=options)
    whole, reduced = (fit_image(decode_picture(data, least).pixels, MINI).astype(int) for least in (None, (288, 512)))
    difference = np.abs(whole - reduced)
    assert difference.mean() < 0.5 and np.percentile(difference, 99) <= 3


def test_grey_jpeg_becomes_colour():
    picture = decode_picture(encoded(scene(1080, 1920)[..., 0]), (288, 512))
    assert picture.pixels.shape == (540, 960, 3)


def test_published_networks_see_every_pixel():
    data = encoded(scene(1088, 1920))
    assert least_size(R50) is None
    np.testing.assert_array_equal(
        decode_picture(data, least_size(R50)).pixels, cv2.imdecode(data, cv2.IMREAD_COLOR))


def test_other_formats_are_not_reduced():
    pixels = scene(1080, 1920)
    picture = decode_picture(encoded(pixels, '.png'), (288, 512))
    assert picture.reduction == 1
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_a_picture_that_the_camera_may_have_turned_is_not_reduced():
    data = encoded(scene(1080, 1920)).tobytes()
    # Orientation 6: to be turned by a quarter.
    exif = b'Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
    turned = data[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + data[2:]
    picture = decode_picture(np.frombuffer(turned, np.uint8), (288, 512))
    assert picture.reduction == 1 and picture.size == (1920, 1080)


@pytest.mark.parametrize('length', [0, 2, 20, 300])
def test_what_is_cut_off_is_no_picture(length):
    assert decode_picture(encoded(scene(1080, 1920))[:length], (288, 512)) is None


def test_the_projection_to_the_network_input_has_the_same_bits():
    projection = np.random.default_rng(0).normal(size=(4, 4))
    for size in ((1080, 1920), (1152, 2048), (2304, 4096)):
        picture = decode_picture(encoded(np.zeros((*size, 3), np.uint8)), (288, 512))
        assert picture.reduction > 1
        np.testing.assert_array_equal(
            prepare_projection(picture.projection(projection), picture.pixels.shape, MINI),
            prepare_projection(projection, size, MINI))
