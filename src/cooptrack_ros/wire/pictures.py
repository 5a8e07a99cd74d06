"""Pictures from messages and back, as BGR arrays."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ..common.errors import WireError
from ..sensors.image_decoding import Picture, decode_picture
from .arrays import is_time, stamp_ns, to_field

_CHANNELS = {'bgr8': (3, None), 'rgb8': (3, cv2.COLOR_RGB2BGR), 'mono8': (1, cv2.COLOR_GRAY2BGR),
             'bgra8': (4, cv2.COLOR_BGRA2BGR), 'rgba8': (4, cv2.COLOR_RGBA2BGR)}


def picture_time_ns(msg: CompressedImage | Image) -> int:
    """
    Return the stamp of a picture in nanoseconds.

    :raises WireError: without one.
    """
    stamp = msg.header.stamp
    if not is_time(stamp) or not stamp_ns(stamp):
        raise WireError('no_stamp', f'the picture has no time: its stamp is {stamp.sec} s, {stamp.nanosec} ns')
    return stamp_ns(stamp)


def decode_compressed(msg: CompressedImage) -> np.ndarray:
    """
    Return a compressed picture as BGR.

    :raises WireError: if it cannot be decoded.
    """
    return _decode_compressed(msg, None).pixels


def _decode_compressed(msg: CompressedImage, least: tuple[int, int] | None) -> Picture:
    data = np.frombuffer(msg.data, np.uint8)
    picture = decode_picture(data, least)
    if picture is None:
        raise WireError('unreadable_image', f"picture of {len(data)} bytes, format '{msg.format}', cannot be decoded")
    return picture


def decode_raw(msg: Image) -> np.ndarray:
    """
    Return a raw picture as BGR.

    :raises WireError: for an encoding that is not 8 bit colour or grey, or data of the wrong length.
    """
    if msg.encoding not in _CHANNELS:
        raise WireError('unreadable_image', f"encoding '{msg.encoding}'; known: {', '.join(_CHANNELS)}")
    channels, conversion = _CHANNELS[msg.encoding]
    if not msg.width or not msg.height or msg.step < msg.width * channels or len(msg.data) != msg.step * msg.height:
        raise WireError('unreadable_image', f'{len(msg.data)} bytes are no {msg.width}x{msg.height} {msg.encoding} '
                        f'picture with {msg.step} bytes a row')
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    pixels = rows[:, :msg.width * channels].reshape(msg.height, msg.width, channels)
    return cv2.cvtColor(pixels, conversion) if conversion is not None else np.ascontiguousarray(pixels)


def decode_image(msg: CompressedImage | Image) -> np.ndarray:
    """Return either kind of picture as BGR, with all its pixels."""
    return decode_for_network(msg, None).pixels


def decode_for_network(msg: CompressedImage | Image, least: tuple[int, int] | None) -> Picture:
    """
    Return either kind of picture, reduced where that saves time.

    :param least: rows and columns that must remain, see ``sensors.image_decoding.decode_picture``.
    :raises WireError: if it cannot be decoded.
    """
    return Picture(decode_raw(msg)) if isinstance(msg, Image) else _decode_compressed(msg, least)


def encode_raw(image: np.ndarray, header: Header) -> Image:
    """Return a BGR picture (H, W, 3) uint8 as a message."""
    rows, columns = image.shape[:2]
    return Image(header=header, height=rows, width=columns, encoding='bgr8', step=3 * columns,
                 data=to_field(image, 'B'))


def encode_jpeg(image: np.ndarray, header: Header) -> CompressedImage:
    """Return a BGR picture (H, W, 3) uint8 as a compressed message."""
    _, data = cv2.imencode('.jpg', image)
    return CompressedImage(header=header, format='bgr8; jpeg compressed bgr8', data=to_field(data, 'B'))
