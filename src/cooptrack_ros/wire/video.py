"""Video from messages, packet by packet, and the images that come out of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from std_msgs.msg import Header

from ..common.errors import WireError
from ..sensors.camera_sync import JUMP_S
from ..sensors.video_decoding import DecodedVideo, VideoDecoder, VideoPacket
from .arrays import header_of, is_time, stamp_ns
from .topics import IMAGE_TRANSPORTS, kind_name

_FFMPEG, _FOXGLOVE = (IMAGE_TRANSPORTS[name].kind for name in ('ffmpeg', 'foxglove'))
_CODECS = {'h264': 'h264', '264': 'h264', 'h265': 'hevc', 'hevc': 'hevc', '265': 'hevc'}
"""By what the names of encoders hold, such as libx264, h264_nvenc or hevc_vaapi."""


@dataclass(frozen=True)
class VideoImage:
    """
    One image of a video, with the header that its own packet had: stands where others have a message of an image.

    ``arrived`` is when the packet came after which it could be seen, on the monotonic clock.
    """

    header: Header
    video: DecodedVideo
    arrived: float

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.video.size

    def pixels(self) -> np.ndarray:
        """Return the image (H, W, 3) uint8 BGR."""
        return self.video.pixels()


def packet_of(message: Any) -> VideoPacket:
    """
    Return what is in a message, with its header as label.

    :raises WireError: for another codec than H.264 and H.265, or without a stamp.
    """
    if _kind(message) == _FFMPEG:
        name, number, stamp = message.encoding.partition(';')[0], int(message.pts), message.header.stamp
    else:
        name, number, stamp = message.format, None, message.timestamp
    codec = next((codec for part, codec in _CODECS.items() if part in name.lower()), None)
    if codec is None:
        raise WireError('unreadable_image', f"video of the codec '{name}', expected H.264 or H.265")
    if not is_time(stamp) or not stamp_ns(stamp):
        raise WireError('no_stamp', f'the packet has no time: its stamp is {stamp.sec} s, {stamp.nanosec} ns')
    frame_id = message.frame_id if number is None else message.header.frame_id
    return VideoPacket(codec, bytes(message.data), number, header_of(stamp_ns(stamp), frame_id))


class VideoStream:
    """The images of one topic of video."""

    def __init__(self) -> None:
        """Wait for a key frame."""
        self._decoder = VideoDecoder()
        self._newest = 0

    def take(self, message: Any, size: tuple[int, int] | None, arrived: float | None = None,
             is_late: bool = False) -> list[VideoImage]:
        """
        Return the images that can be seen after a message: mostly its own, with reordering an earlier one.

        :param size: see ``VideoDecoder.decode``, also for ``is_late``; :param arrived: on the monotonic clock.
        :raises WireError: if the message is dropped.
        """
        packet = packet_of(message)
        stamp = stamp_ns(packet.label.stamp)
        if stamp < self._newest - JUMP_S * 1e9:
            self._decoder.restart('time was set back')
            self._newest = 0
        self._newest = max(self._newest, stamp)
        return self._images(self._decoder.decode(packet, size, is_late), arrived)

    def break_off(self, cause: str) -> None:
        """Wait for the next key frame; :param cause: why, in words."""
        self._decoder.restart(cause)

    def end(self) -> list[VideoImage]:
        """Return the images that were held back when nothing more comes."""
        return self._images(self._decoder.end(), None)

    @property
    def lost(self) -> int:
        """Packets that did not come."""
        return self._decoder.lost

    @property
    def delay(self) -> int:
        """Packets for which images are held back, because the encoder sends them in another order."""
        return self._decoder.delay

    @staticmethod
    def _images(found: list[DecodedVideo], arrived: float | None) -> list[VideoImage]:
        came = time.monotonic() if arrived is None else arrived
        return [VideoImage(video.label, video, came) for video in found]


def seen_in(message: Any, stream: VideoStream, size: tuple[int, int] | None = None) -> list[Any]:
    """
    Return the images that can be seen after a message of any transport, none if its packet is dropped.

    :param stream: of its topic; :param size: (width, height) of the camera, None if it is not known.
    """
    if _kind(message) not in (_FFMPEG, _FOXGLOVE):
        return [message]
    try:
        return stream.take(message, size)
    except WireError:
        return []


def _kind(message: Any) -> str:
    """Return the type of a message; classes of bags are called after it."""
    return getattr(message, '__msgtype__', None) or kind_name(type(message))
