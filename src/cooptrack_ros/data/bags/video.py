"""Images of a camera as video, as ffmpeg_image_transport sends it."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sensor_msgs.msg import CompressedImage

from ...common.errors import UserError
from ...sensors.video_decoding import check_video_decoder
from ...wire.arrays import to_field
from ...wire.images import decode_image

ENCODERS = {'h264': 'libx264', 'h265': 'libx265'}
_FORMATS = {'h264': 'h264', 'h265': 'hevc'}
"""As the messages name them."""
_GROUP = 10
"""Images from one key frame to the next."""
_PACKAGE = 'ffmpeg_image_transport_msgs'


def check_video_encoder() -> None:
    """
    See that video can be written.

    :raises UserError: if the library or the message type is missing.
    """
    check_video_decoder('--video')
    if find_spec(_PACKAGE) is None:
        raise UserError(f'--video needs {_PACKAGE}, which is not installed: apt install '
                        'ros-$ROS_DISTRO-ffmpeg-image-transport-msgs')


class VideoEncoder:
    """Encodes the images of one camera, each to one packet at once: no image waits for a later one."""

    def __init__(self, codec: str) -> None:
        """Take the codec, a key of ``ENCODERS``."""
        self._codec, self._number = codec, 0
        self._context: Any = None

    def packet(self, image: CompressedImage) -> Any:
        """
        Return an image as FFMPEGPacket.

        :raises UserError: if it has another size than those before, or one that video cannot have.
        """
        import av
        pixels = decode_image(image)
        rows, columns = pixels.shape[:2]
        if self._context is None:
            self._context = self._open(columns, rows)
        if (columns, rows) != (self._context.width, self._context.height):
            before = f'{self._context.width}x{self._context.height}'
            raise UserError(f'an image of {columns}x{rows} after those of {before}: a video has one size')
        frame = av.VideoFrame.from_ndarray(pixels, format='bgr24')
        frame.pts = self._number
        self._number += 1
        packet, = self._context.encode(frame)
        kind = import_module(f'{_PACKAGE}.msg').FFMPEGPacket
        return kind(header=image.header, width=columns, height=rows, pts=packet.pts, flags=int(packet.is_keyframe),
                    encoding=f'{_FORMATS[self._codec]};yuv420p;bgr8;bgr8', data=to_field(memoryview(packet), 'B'))

    def _open(self, columns: int, rows: int) -> Any:
        import av
        if columns % 2 or rows % 2:
            raise UserError(f'images of {columns}x{rows} cannot be written as video, expected even numbers of columns '
                            'and rows')
        context = av.CodecContext.create(ENCODERS[self._codec], 'w')
        context.width, context.height, context.pix_fmt = columns, rows, 'yuv420p'
        context.time_base, context.gop_size, context.max_b_frames = Fraction(1, 10), _GROUP, 0
        context.thread_count = 1
        context.options = {'preset': 'veryfast', 'tune': 'zerolatency', 'crf': '20',
                           'x265-params': 'log-level=none:repeat-headers=1:pools=none:frame-threads=1'}
        return context
