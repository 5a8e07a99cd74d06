"""Images are decoded no larger than a network needs, and their geometry stays exact."""

import cv2
import numpy as np
import pytest

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.model.image.preprocess import fit_image, least_size, prepare_projection
from cooptrack_ros.sensors.image_decoding import decode_reduced


def scene(rows, columns):
    """Return an image with edges and slopes."""
    y, x = np.mgrid[:rows, :columns]
    image = np.stack([x * 255 / columns, y * 255 / rows, 127 + 100 * np.sin(x / 9) * np.cos(y / 7)], -1)
    image[rows // 3:rows // 2, columns // 4:columns // 2] = (20, 200, 90)
    return image.astype(np.uint8)


def encoded(image, kind='.jpg', options=()):
    return cv2.imencode(kind, image, list(options))[1].reshape(-1)


@pytest.mark.parametrize(('size', 'reduction'), [
    ((1080, 1920), 2), ((540, 960), 1), ((1152, 2048), 4), ((2304, 4096), 8), ((1080, 1918), 2), ((1081, 1920), 1),
    ((288, 512), 1), ((576, 1024), 2), ((576, 1022), 1)])
def test_a_jpeg_is_reduced_as_far_as_the_network_and_whole_numbers_allow(size, reduction):
    image = decode_reduced(encoded(np.zeros((*size, 3), np.uint8)), least_size(MINI))
    assert image.reduction == reduction
    assert image.size == size and image.pixels.shape == (size[0] // reduction, size[1] // reduction, 3)


@pytest.mark.parametrize('options', [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_what_the_network_sees_hardly_changes(options):
    data = encoded(scene(1080, 1920), options=options)
    whole, reduced = (fit_image(decode_reduced(data, least).pixels, MINI).astype(int) for least in (None, (288, 512)))
    difference = np.abs(whole - reduced)
    assert difference.mean() < 0.5 and np.percentile(difference, 99) <= 3


def test_grey_jpeg_becomes_colour():
    image = decode_reduced(encoded(scene(1080, 1920)[..., 0]), (288, 512))
    assert image.pixels.shape == (540, 960, 3)


def test_published_networks_see_every_pixel():
    data = encoded(scene(1088, 1920))
    assert least_size(R50) is None
    np.testing.assert_array_equal(
        decode_reduced(data, least_size(R50)).pixels, cv2.imdecode(data, cv2.IMREAD_COLOR))


def test_other_formats_are_not_reduced():
    pixels = scene(1080, 1920)
    image = decode_reduced(encoded(pixels, '.png'), (288, 512))
    assert image.reduction == 1
    np.testing.assert_array_equal(image.pixels, pixels)


def test_an_image_that_the_camera_may_have_turned_is_not_reduced():
    data = encoded(scene(1080, 1920)).tobytes()
    # Orientation 6: to be turned by a quarter.
    exif = b'Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
    turned = data[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + data[2:]
    image = decode_reduced(np.frombuffer(turned, np.uint8), (288, 512))
    assert image.reduction == 1 and image.size == (1920, 1080)


@pytest.mark.parametrize('length', [0, 2, 20, 300])
def test_what_is_cut_off_is_no_image(length):
    assert decode_reduced(encoded(scene(1080, 1920))[:length], (288, 512)) is None


def test_the_projection_to_the_network_input_has_the_same_bits():
    projection = np.random.default_rng(0).normal(size=(4, 4))
    for size in ((1080, 1920), (1152, 2048), (2304, 4096)):
        image = decode_reduced(encoded(np.zeros((*size, 3), np.uint8)), (288, 512))
        assert image.reduction > 1
        np.testing.assert_array_equal(
            prepare_projection(image.projection(projection), image.pixels.shape, MINI),
            prepare_projection(projection, size, MINI))
