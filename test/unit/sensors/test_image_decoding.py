"""Images are decoded as stored, no larger than a network needs, with exact geometry, and only whole ones."""

import cv2
import numpy as np
import pytest

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.model.image.preprocess import fit_image, least_size, prepare_projection
from cooptrack_ros.sensors.image_decoding import decode_reduced, read_image

WAYS = [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 5),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)]
"""How JPEG images are written: pixel by pixel, finer and finer, with marks to start again, with all colours."""


def scene(rows, columns):
    """Return an image with edges and slopes."""
    y, x = np.mgrid[:rows, :columns]
    image = np.stack([x * 255 / columns, y * 255 / rows, 127 + 100 * np.sin(x / 9) * np.cos(y / 7)], -1)
    image[rows // 3:rows // 2, columns // 4:columns // 2] = (20, 200, 90)
    return image.astype(np.uint8)


def encoded(image, kind='.jpg', options=()):
    return cv2.imencode(kind, image, list(options))[1].tobytes()


def with_orientation(data, orientation):
    """Return a JPEG image with a note (Exif) that it is to be turned."""
    exif = b'Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0' + bytes([orientation]) + bytes(7)
    return data[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + data[2:]


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
        decode_reduced(data, least_size(R50)).pixels, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def test_other_formats_are_not_reduced():
    pixels = scene(1080, 1920)
    image = decode_reduced(encoded(pixels, '.png'), (288, 512))
    assert image.reduction == 1
    np.testing.assert_array_equal(image.pixels, pixels)


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
@pytest.mark.parametrize('least', [None, (288, 512)])
def test_pixels_stay_as_stored_whatever_the_note_of_the_camera_says(orientation, least):
    data = encoded(scene(1080, 1920))
    image, turned = decode_reduced(data, least), decode_reduced(with_orientation(data, orientation), least)
    assert turned.reduction == image.reduction and turned.size == (1080, 1920)
    np.testing.assert_array_equal(turned.pixels, image.pixels)


def test_a_file_is_read_as_stored(tmp_path):
    data = encoded(scene(40, 60))
    (tmp_path / 'a.jpg').write_bytes(with_orientation(data, 6))
    np.testing.assert_array_equal(read_image(tmp_path / 'a.jpg').pixels, decode_reduced(data).pixels)
    with pytest.raises(UserError, match='missing.jpg.*No such file'):
        read_image(tmp_path / 'missing.jpg')
    (tmp_path / 'b.jpg').write_bytes(data[:len(data) // 2])
    with pytest.raises(UserError, match='b.jpg.*cut short'):
        read_image(tmp_path / 'b.jpg')


def test_grey_images_and_grey_corners_are_whole():
    grey = np.full((64, 96, 3), 128, np.uint8)
    for options in WAYS:
        assert (decode_reduced(encoded(grey, options=options)).pixels == 128).all()
    corner = scene(64, 96)
    corner[-20:, -30:] = 128
    assert decode_reduced(encoded(corner, options=WAYS[2])).size == (64, 96)


@pytest.mark.parametrize('length', [0, 2, 20, 300])
def test_what_is_cut_off_is_no_image(length):
    with pytest.raises(ValueError, match='image'):
        decode_reduced(encoded(scene(1080, 1920))[:length], (288, 512))


@pytest.mark.parametrize('options', WAYS)
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('least', [None, (60, 80)])
@pytest.mark.parametrize('end', [b'', b'\xff', b'\xff\xd9', b'\xff\xd9 and more'])
def test_lost_pixels_are_refused_with_or_without_an_end_marker(options, channels, least, end):
    pixels = scene(240, 320)
    data = encoded(pixels if channels == 3 else pixels[..., 0], options=options)
    for share in (0.3, 0.5, 0.7, 0.95):
        with pytest.raises(ValueError, match='cut short'):
            decode_reduced(data[:int(share * len(data))] + end, least)


@pytest.mark.parametrize('options', WAYS)
@pytest.mark.parametrize('least', [None, (60, 80)])
def test_a_missing_end_marker_is_no_loss(options, least):
    data = encoded(scene(240, 320), options=options)
    whole = decode_reduced(data, least)
    for same in (data[:-1], data[:-2], data + bytes(10), data + b'\xff\xd8 a second image'):
        np.testing.assert_array_equal(decode_reduced(same, least).pixels, whole.pixels)


def test_pixels_lost_in_the_middle_are_refused():
    data = encoded(scene(240, 320))
    with pytest.raises(ValueError, match='cut short'):
        decode_reduced(data[:len(data) // 2] + data[len(data) // 2 + 2000:])


def test_the_loss_of_whole_parts_between_restart_marks_is_refused():
    data = encoded(scene(240, 320), options=WAYS[2])
    for mark in (b'\xff\xd3', b'\xff\xd7'):
        start = data.rindex(mark)
        for cut in (start, start + 2):
            with pytest.raises(ValueError, match='cut short'):
                decode_reduced(data[:cut] + b'\xff\xd9')


def test_an_image_of_too_many_scans_or_pixels_is_not_decoded():
    data = encoded(scene(240, 320), options=WAYS[1])
    scans = data[data.rindex(b'\xff\xda'):data.rindex(b'\xff\xd9')]
    with pytest.raises(ValueError, match='more than 100 scans'):
        decode_reduced(data[:-2] + 100 * scans + data[-2:])
    bitmap = bytearray(encoded(scene(40, 60), '.bmp'))
    assert decode_reduced(bytes(bitmap)).size == (40, 60)
    bitmap[18:26] = (40_000).to_bytes(4, 'little') * 2
    with pytest.raises(ValueError, match='million pixels'):
        decode_reduced(bytes(bitmap))


def test_a_jpeg_whose_first_frame_header_only_the_decoder_finds_is_not_decoded():
    """It skips the marker ff00, behind which a larger image begins and a comment that holds the smaller one."""
    data = encoded(scene(40, 60))
    start = data.index(b'\xff\xc0')
    frame = data[start:start + 2 + int.from_bytes(data[start + 2:start + 4], 'big')]
    larger = frame[:5] + (4000).to_bytes(2, 'big') * 2 + frame[9:]
    hidden = larger + b'\xff\xfe' + (2 + len(frame)).to_bytes(2, 'big')
    hiding = b'\xff\x00' + (2 + len(hidden)).to_bytes(2, 'big') + hidden
    with pytest.raises(ValueError, match='marker that means nothing, 0x00'):
        decode_reduced(data[:start] + hiding + data[start:])


@pytest.mark.parametrize('name', [b'tEXt', b'IDAT'])
def test_a_png_with_a_part_that_is_longer_than_the_image_is_not_decoded(name):
    data = encoded(scene(40, 60), '.png')
    at = data.index(b'IDAT') - 4
    with pytest.raises(ValueError, match='PNG image that is cut short'):
        decode_reduced(data[:at] + (2**31 - 16).to_bytes(4, 'big') + name + data[at + 8:])
    with pytest.raises(ValueError, match='PNG image that is cut short'):
        decode_reduced(data[:-12])
    assert decode_reduced(data + b'more').size == (40, 60)


@pytest.mark.parametrize('kind', ['.tiff', '.webp', '.jp2', '.ppm', '.sr', '.hdr'])
def test_formats_that_state_sizes_in_several_places_are_not_decoded(kind):
    with pytest.raises(ValueError, match='expected JPEG, PNG or BMP'):
        decode_reduced(encoded(scene(40, 60), kind))


def test_more_than_8_bits_a_channel_are_refused():
    for pixels in (scene(40, 60).astype(np.uint16) * 16, scene(40, 60)[..., 0].astype(np.uint16)):
        with pytest.raises(ValueError, match='16 bits a channel, expected 8'):
            decode_reduced(encoded(pixels, '.png'))


def test_the_projection_to_the_network_input_has_the_same_bits():
    projection = np.random.default_rng(0).normal(size=(4, 4))
    for size in ((1080, 1920), (1152, 2048), (2304, 4096)):
        image = decode_reduced(encoded(np.zeros((*size, 3), np.uint8)), (288, 512))
        assert image.reduction > 1
        np.testing.assert_array_equal(
            prepare_projection(image.projection(projection), image.pixels.shape, MINI),
            prepare_projection(projection, size, MINI))
