"""Images from messages and back."""

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.images import decode_image, decode_raw, encode_jpeg, encode_raw

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


def test_raw_images_have_the_names_that_drivers_use():
    assert np.array_equal(decode_raw(raw('8UC3', PIXELS)), PIXELS)
    assert np.array_equal(decode_raw(raw('8UC1', PIXELS[..., :1].copy())), np.repeat(PIXELS[..., :1], 3, axis=2))
    four = np.dstack([PIXELS, PIXELS[..., 0]])
    assert np.array_equal(decode_raw(raw('8UC4', four)), PIXELS)


@pytest.mark.parametrize(('encoding', 'red', 'green'), [
    ('bayer_rggb8', (0, 0), (0, 1)), ('bayer_bggr8', (1, 1), (0, 1)), ('bayer_gbrg8', (1, 0), (0, 0)),
    ('bayer_grbg8', (0, 1), (0, 0))])
def test_a_mosaic_gets_its_colours_raw_and_as_png_but_not_as_jpeg(encoding, red, green):
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[red[0]::2, red[1]::2] = 200
    mosaic[green[0]::2, green[1]::2] = mosaic[1 - green[0]::2, 1 - green[1]::2] = 90
    png, jpeg = (cv2.imencode(kind, mosaic)[1].tobytes() for kind in ('.png', '.jpg'))
    for message in (raw(encoding, mosaic), CompressedImage(format=f'{encoding}; png compressed ', data=png)):
        assert (decode_image(message)[2:-2, 2:-2] == (0, 90, 200)).all()
    with pytest.raises(WireError, match='mosaic of colours as JPEG') as refused:
        decode_image(CompressedImage(format=f'{encoding}; jpeg compressed ', data=jpeg))
    assert refused.value.reason == 'unreadable_image'


@pytest.mark.parametrize(('encoding', 'order'), [
    ('yuv422', 'uyvy'), ('uyvy', 'uyvy'), ('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv')])
def test_colours_of_pairs_of_pixels(encoding, order):
    # Red in the numbers of ITU-R BT.601.
    values = np.array([{'y': 81, 'u': 90, 'v': 240}[c] for c in order], np.uint8)
    image = decode_raw(raw(encoding, np.tile(values, (4, 3)).reshape(4, 6, 2)))
    assert np.abs(image.astype(int) - (0, 0, 254)).max() <= 2
    with pytest.raises(WireError, match=f'5x4 pixels are no {encoding} image'):
        decode_raw(raw(encoding, np.zeros((4, 5, 2), np.uint8)))


@pytest.mark.parametrize(('encoding', 'kind', 'bits'), [
    ('16UC1', 'png', np.uint16), ('mono16', 'png', np.uint16), ('mono16', 'jpeg', np.uint8), ('32FC1', 'png', np.uint8),
    ('bayer_rggb16', 'png', np.uint16), ('rgb16', 'png', np.uint16)])
def test_what_is_refused_raw_is_refused_compressed_in_the_same_words(encoding, kind, bits):
    pixels = PIXELS.astype(bits) if encoding == 'rgb16' else PIXELS[..., 0].astype(bits)
    data = cv2.imencode({'png': '.png', 'jpeg': '.jpg'}[kind], pixels)[1].tobytes()
    compressed, words = CompressedImage(format=f'{encoding}; {kind} compressed {encoding}', data=data), []
    for message in (raw(encoding, PIXELS), compressed):
        with pytest.raises(WireError) as refused:
            decode_image(message)
        assert refused.value.reason == 'unreadable_image'
        words.append(str(refused.value))
    assert words[0] == words[1] and encoding in words[0]


def test_more_than_8_bits_are_refused_also_where_no_encoding_is_named():
    data = cv2.imencode('.png', PIXELS[..., 0].astype(np.uint16) * 100)[1].tobytes()
    with pytest.raises(WireError, match='16 bits a channel'):
        decode_image(CompressedImage(format='png', data=data))


def test_an_image_that_is_cut_short_is_refused_and_one_without_end_marker_is_not():
    data = encode_jpeg(np.repeat(np.repeat(PIXELS, 40, 0), 40, 1), Header()).data.tobytes()
    whole = decode_image(CompressedImage(format='jpeg', data=data))
    assert np.array_equal(decode_image(CompressedImage(format='jpeg', data=data[:-2])), whole)
    with pytest.raises(WireError, match='cut short') as refused:
        decode_image(CompressedImage(format='jpeg', data=data[:len(data) // 2] + data[-2:]))
    assert refused.value.reason == 'unreadable_image'


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
    assert np.array_equal(decode_image(CompressedImage(data=array('B', data.tobytes()))), PIXELS)
    for bad in (b'', b'no image'):
        with pytest.raises(WireError) as refused:
            decode_image(CompressedImage(data=array('B', bad)))
        assert refused.value.reason == 'unreadable_image'


def test_images_survive_the_way_out_and_back():
    header = Header(frame_id='camera')
    raw_message, jpeg = encode_raw(PIXELS, header), encode_jpeg(PIXELS, header)
    assert np.array_equal(decode_image(raw_message), PIXELS)
    assert decode_image(jpeg).shape == PIXELS.shape
    assert raw_message.header.frame_id == jpeg.header.frame_id == 'camera'
