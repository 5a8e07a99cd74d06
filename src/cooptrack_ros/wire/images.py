"""Images from messages and back, as BGR arrays."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ..common.errors import WireError
from ..sensors.image_decoding import DecodedImage, decode_mosaic, decode_reduced
from .arrays import is_time, stamp_ns, to_field
from .video import VideoImage

_BAYER = {'bayer_rggb8': cv2.COLOR_BayerBG2BGR, 'bayer_bggr8': cv2.COLOR_BayerRG2BGR,
          'bayer_gbrg8': cv2.COLOR_BayerGR2BGR, 'bayer_grbg8': cv2.COLOR_BayerGB2BGR}
"""OpenCV names the second row of a mosaic, ROS the first."""
_COLOURS = {'bgr8': (3, None), '8UC3': (3, None), 'rgb8': (3, cv2.COLOR_RGB2BGR), 'mono8': (1, cv2.COLOR_GRAY2BGR),
            '8UC1': (1, cv2.COLOR_GRAY2BGR), 'bgra8': (4, cv2.COLOR_BGRA2BGR), '8UC4': (4, cv2.COLOR_BGRA2BGR),
            'rgba8': (4, cv2.COLOR_RGBA2BGR)}
_YUV = {'yuv422': (2, cv2.COLOR_YUV2BGR_UYVY), 'uyvy': (2, cv2.COLOR_YUV2BGR_UYVY),
        'yuv422_yuy2': (2, cv2.COLOR_YUV2BGR_YUY2), 'yuyv': (2, cv2.COLOR_YUV2BGR_YUY2)}
_CHANNELS = {**_COLOURS, **{name: (1, conversion) for name, conversion in _BAYER.items()}, **_YUV}
"""By encoding: bytes a pixel, and how they become BGR."""


AnyImage = CompressedImage | Image | VideoImage
"""What an image comes in: a message, or what was decoded of a video."""


def image_time_ns(msg: AnyImage) -> int:
    """
    Return the stamp of an image in nanoseconds.

    :raises WireError: without one.
    """
    stamp = msg.header.stamp
    if not is_time(stamp) or not stamp_ns(stamp):
        raise WireError('no_stamp', f'the image has no time: its stamp is {stamp.sec} s, {stamp.nanosec} ns')
    return stamp_ns(stamp)


def _decode_compressed(msg: CompressedImage, least: tuple[int, int] | None) -> DecodedImage:
    data, encoding = bytes(msg.data), _encoding_before(msg)
    try:
        if encoding in _BAYER:
            return DecodedImage(cv2.cvtColor(decode_mosaic(data), _BAYER[encoding]))
        return decode_reduced(data, least)
    except ValueError as error:
        raise WireError('unreadable_image', f"image of {len(data)} bytes, format '{msg.format}': {error}") from error


def _encoding_before(msg: CompressedImage) -> str | None:
    """
    Return what an image was before it was compressed: ``ENCODING; jpeg compressed bgr8``; None if it is not named.

    :raises WireError: for an encoding that is not known as a raw one either.
    """
    encoding, separator, _ = msg.format.partition(';')
    if not separator:
        return None
    _check_encoding(encoding.strip())
    return encoding.strip()


def _check_encoding(encoding: str) -> None:
    if encoding not in _CHANNELS:
        raise WireError('unreadable_image', f"encoding '{encoding}'; known: {', '.join(_CHANNELS)}")


def decode_raw(msg: Image) -> np.ndarray:
    """
    Return a raw image as BGR.

    :raises WireError: for an encoding that is not of 8 bits a channel, or data of the wrong length.
    """
    _check_encoding(msg.encoding)
    channels, conversion = _CHANNELS[msg.encoding]
    if not msg.width or not msg.height or msg.step < msg.width * channels or len(msg.data) != msg.step * msg.height:
        raise WireError('unreadable_image', f'{len(msg.data)} bytes are no {msg.width}x{msg.height} {msg.encoding} '
                        f'image with {msg.step} bytes a row')
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    pixels = rows[:, :msg.width * channels].reshape(msg.height, msg.width, channels)
    try:
        return cv2.cvtColor(pixels, conversion) if conversion is not None else np.ascontiguousarray(pixels)
    except cv2.error as error:
        # Colours of pairs of pixels need an even width, a mosaic more than one row.
        raise WireError('unreadable_image', f'{msg.width}x{msg.height} pixels are no {msg.encoding} image') from error


def decode_image(msg: AnyImage) -> np.ndarray:
    """Return any kind of image as BGR, with all its pixels."""
    return decode_for_network(msg, None).pixels


def decode_for_network(msg: AnyImage, least: tuple[int, int] | None) -> DecodedImage:
    """
    Return any kind of image, reduced where that saves time.

    :param least: rows and columns that must remain, see ``sensors.image_decoding.decode_reduced``.
    :raises WireError: if it cannot be decoded.
    """
    if isinstance(msg, VideoImage):
        return DecodedImage(msg.pixels())
    return DecodedImage(decode_raw(msg)) if isinstance(msg, Image) else _decode_compressed(msg, least)


def encode_raw(image: np.ndarray, header: Header) -> Image:
    """Return a BGR image (H, W, 3) uint8 as a message."""
    rows, columns = image.shape[:2]
    return Image(header=header, height=rows, width=columns, encoding='bgr8', step=3 * columns,
                 data=to_field(image, 'B'))


def encode_jpeg(image: np.ndarray, header: Header) -> CompressedImage:
    """Return a BGR image (H, W, 3) uint8 as a compressed message."""
    _, data = cv2.imencode('.jpg', image)
    return CompressedImage(header=header, format='bgr8; jpeg compressed bgr8', data=to_field(data, 'B'))
