"""Images from messages and back, as BGR arrays."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ..common.errors import WireError
from ..sensors.image_decoding import DecodedImage, decode_reduced
from .arrays import is_time, stamp_ns, to_field

_CHANNELS = {'bgr8': (3, None), 'rgb8': (3, cv2.COLOR_RGB2BGR), 'mono8': (1, cv2.COLOR_GRAY2BGR),
             'bgra8': (4, cv2.COLOR_BGRA2BGR), 'rgba8': (4, cv2.COLOR_RGBA2BGR)}


def image_time_ns(msg: CompressedImage | Image) -> int:
    """
    Return the stamp of an image in nanoseconds.

    :raises WireError: without one.
    """
    stamp = msg.header.stamp
    if not is_time(stamp) or not stamp_ns(stamp):
        raise WireError('no_stamp', f'the image has no time: its stamp is {stamp.sec} s, {stamp.nanosec} ns')
    return stamp_ns(stamp)


def decode_compressed(msg: CompressedImage) -> np.ndarray:
    """
    Return a compressed image as BGR.

    :raises WireError: if it cannot be decoded.
    """
    return _decode_compressed(msg, None).pixels


def _decode_compressed(msg: CompressedImage, least: tuple[int, int] | None) -> DecodedImage:
    data = np.frombuffer(msg.data, np.uint8)
    image = decode_reduced(data, least)
    if image is None:
        raise WireError('unreadable_image', f"image of {len(data)} bytes, format '{msg.format}', cannot be decoded")
    return image


def decode_raw(msg: Image) -> np.ndarray:
    """
    Return a raw image as BGR.

    :raises WireError: for an encoding that is not 8 bit colour or grey, or data of the wrong length.
    """
    if msg.encoding not in _CHANNELS:
        raise WireError('unreadable_image', f"encoding '{msg.encoding}'; known: {', '.join(_CHANNELS)}")
    channels, conversion = _CHANNELS[msg.encoding]
    if not msg.width or not msg.height or msg.step < msg.width * channels or len(msg.data) != msg.step * msg.height:
        raise WireError('unreadable_image', f'{len(msg.data)} bytes are no {msg.width}x{msg.height} {msg.encoding} '
                        f'image with {msg.step} bytes a row')
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    pixels = rows[:, :msg.width * channels].reshape(msg.height, msg.width, channels)
    return cv2.cvtColor(pixels, conversion) if conversion is not None else np.ascontiguousarray(pixels)


def decode_image(msg: CompressedImage | Image) -> np.ndarray:
    """Return either kind of image as BGR, with all its pixels."""
    return decode_for_network(msg, None).pixels


def decode_for_network(msg: CompressedImage | Image, least: tuple[int, int] | None) -> DecodedImage:
    """
    Return either kind of image, reduced where that saves time.

    :param least: rows and columns that must remain, see ``sensors.image_decoding.decode_reduced``.
    :raises WireError: if it cannot be decoded.
    """
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
