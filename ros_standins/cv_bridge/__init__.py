"""
Stand-in for the Python package cv_bridge, for machines where it is missing.

Left out: encodings other than those in ``_ENCODINGS`` (no Bayer, YUV or 16 bit colour), conversion between integer
depths and from or to 32FC1, ``cv2_to_compressed_imgmsg`` to formats that OpenCV cannot encode, and the helpers about
OpenCV type numbers.
"""

from __future__ import annotations

import array
import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

__all__ = ['CvBridge', 'CvBridgeError']

_ENCODINGS = {
    'bgr8': (np.uint8, 3), 'rgb8': (np.uint8, 3), 'bgra8': (np.uint8, 4), 'rgba8': (np.uint8, 4),
    'mono8': (np.uint8, 1), '8UC1': (np.uint8, 1), '8UC3': (np.uint8, 3), '8UC4': (np.uint8, 4),
    'mono16': (np.uint16, 1), '16UC1': (np.uint16, 1), '32FC1': (np.float32, 1),
}
_NAMES = {(np.dtype(dtype), channels): name for name, (dtype, channels) in _ENCODINGS.items() if 'C' in name}
_COLOURS = {'bgr8': 'BGR', 'rgb8': 'RGB', 'bgra8': 'BGRA', 'rgba8': 'RGBA', 'mono8': 'GRAY'}


class CvBridgeError(TypeError):
    """An image that cannot be converted."""


class CvBridge:
    """Converts between OpenCV images (numpy arrays) and messages."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = 'passthrough') -> np.ndarray:
        """
        Return a writable image (height, width[, channels]) that shares nothing with the message.

        :param desired_encoding: ``'passthrough'`` keeps the encoding of the message.
        :raises CvBridgeError: for an unknown encoding, an impossible conversion or a message of the wrong size.
        """
        dtype, channels = _encoding(img_msg.encoding)
        dtype = dtype.newbyteorder('>' if img_msg.is_bigendian else '<')
        row = img_msg.width * channels * dtype.itemsize
        if img_msg.step < row or len(img_msg.data) < img_msg.step * img_msg.height:
            raise CvBridgeError(
                f'{img_msg.encoding} image of {img_msg.width}x{img_msg.height} with step {img_msg.step} and '
                f'{len(img_msg.data)} bytes: expected a step of at least {row} and step * height bytes')
        rows = np.frombuffer(bytes(img_msg.data), np.uint8, img_msg.step * img_msg.height)
        pixels = np.ascontiguousarray(rows.reshape(img_msg.height, img_msg.step)[:, :row]).view(dtype)
        shape = (img_msg.height, img_msg.width) + ((channels,) if channels > 1 else ())
        image = pixels.reshape(shape).astype(dtype.newbyteorder('='))
        return image if desired_encoding == 'passthrough' else _convert(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(self, cvim: np.ndarray, encoding: str = 'passthrough', header=None) -> Image:
        """
        Return a message with an image; nothing is converted.

        :param encoding: what the image holds; ``'passthrough'`` names only its type, such as 8UC3.
        :raises CvBridgeError: if type or number of channels do not fit the encoding.
        """
        if not isinstance(cvim, np.ndarray):
            raise TypeError('Your input type is not a numpy array')
        channels = 1 if cvim.ndim == 2 else cvim.shape[2]
        if encoding == 'passthrough':
            encoding = _NAMES.get((cvim.dtype, channels))
            if encoding is None:
                raise CvBridgeError(f'no encoding for {cvim.dtype} with {channels} channels')
        elif (cvim.dtype, channels) != _encoding(encoding):
            raise CvBridgeError(f'encoding specified as {encoding}, but image has {channels} channels of {cvim.dtype}')
        message = Image(height=cvim.shape[0], width=cvim.shape[1], encoding=encoding,
                        step=cvim.shape[1] * channels * cvim.itemsize, is_bigendian=int(sys.byteorder == 'big'))
        message.data = array.array('B', cvim.tobytes())
        if header is not None:
            message.header = header
        return message

    def compressed_imgmsg_to_cv2(self, cmprs_img_msg: CompressedImage,
                                 desired_encoding: str = 'passthrough') -> np.ndarray:
        """
        Return the decoded image.

        :param desired_encoding: ``'passthrough'`` keeps what the file holds (colour as bgr8).
        :raises CvBridgeError: if the data cannot be decoded or converted.
        """
        data = np.frombuffer(bytes(cmprs_img_msg.data), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if image is None:
            raise CvBridgeError(f'cannot decode {data.size} bytes of format {cmprs_img_msg.format!r}')
        if desired_encoding == 'passthrough':
            return image
        source = {(np.dtype(np.uint8), 2): 'mono8', (np.dtype(np.uint16), 2): 'mono16'}.get(
            (image.dtype, image.ndim), 'bgra8' if image.shape[-1] == 4 else 'bgr8')
        return _convert(image, source, desired_encoding)

    def cv2_to_compressed_imgmsg(self, cvim: np.ndarray, dst_format: str = 'jpg') -> CompressedImage:
        """
        Return a message with the encoded image (colour as bgr8).

        :raises CvBridgeError: if OpenCV cannot encode the image in this format.
        """
        if not isinstance(cvim, np.ndarray):
            raise TypeError('Your input type is not a numpy array')
        try:
            done, data = cv2.imencode(f'.{dst_format}', cvim)
        except cv2.error as error:
            raise CvBridgeError(f'cannot encode as {dst_format!r}: {error}') from error
        if not done:
            raise CvBridgeError(f'cannot encode as {dst_format!r}')
        message = CompressedImage(format=dst_format)
        message.data = array.array('B', data.tobytes())
        return message


def _encoding(name: str) -> tuple[np.dtype, int]:
    if name not in _ENCODINGS:
        raise CvBridgeError(f'encoding {name!r} is not supported here; known: {", ".join(_ENCODINGS)}')
    dtype, channels = _ENCODINGS[name]
    return np.dtype(dtype), channels


def _convert(image: np.ndarray, source: str, target: str) -> np.ndarray:
    if source == target or ('C' in source + target and _encoding(source) == _encoding(target)):
        return image
    _encoding(target)
    if {source, target} == {'mono16', '16UC1'}:
        return image
    if source not in _COLOURS or target not in _COLOURS:
        raise CvBridgeError(f'cannot convert {source} to {target} here')
    return cv2.cvtColor(image, getattr(cv2, f'COLOR_{_COLOURS[source]}2{_COLOURS[target]}'))
