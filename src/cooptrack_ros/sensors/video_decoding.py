"""H.264 and H.265 video, packet by packet: what one decodes depends on those before it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from ..common.errors import UserError, WireError
from .image_decoding import MAX_IMAGE_BYTES
from .video_headers import H264Headers, H265Headers, PacketFacts, VideoSize

MAX_VIDEO_PIXELS = 35_651_584
"""Of one image, as the largest level of both standards allows."""
INSTALL = 'pip install av'
_HEADERS = {'h264': H264Headers, 'hevc': H265Headers}
CODECS = tuple(_HEADERS)
"""As the decoder names them."""
_CROPPED = 64
"""Blocks of both standards have at most so many columns and rows, hence so much is cut off at most."""
_HELD = 32
"""More images than any decoder holds back."""
_COUNTED = 2
"""After so many steps of one a number of packets counts them: other senders write times there."""


class VideoPacket(NamedTuple):
    """One packet; ``number`` is its presentation number, None without; ``label`` comes back with its image."""

    codec: str
    data: bytes
    number: int | None
    label: Any


class DecodedVideo(NamedTuple):
    """An image of a stream, still in the colours of the codec, with the label of the packet that it was in."""

    label: Any
    frame: Any

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.frame.width, self.frame.height

    def pixels(self) -> np.ndarray:
        """Return the image (H, W, 3) uint8 BGR."""
        return self.frame.to_ndarray(format='bgr24')


def check_video_decoder(what: str) -> None:
    """
    See that video can be decoded.

    :param what: why it is needed, for the error.
    :raises UserError: if the library is missing.
    """
    if find_spec('av') is None:
        raise UserError(f'{what} needs PyAV, which is not installed: {INSTALL}')


class VideoDecoder:
    """
    Decodes the packets of one stream in their order.

    It begins with a key frame. When something before a packet is missing, or cannot be decoded, what follows would be
    made from wrong images: packets are dropped until the next key frame.
    """

    def __init__(self) -> None:
        """Wait for the first key frame."""
        self._codec, self._context, self._headers = '', None, None
        self._cause: str | None = 'no key frame came so far'
        self._skipped = 0
        self._parameters = b''
        self._index, self._labels = 0, {}
        self._number: int | None = None
        self._steps = 0
        self.lost = 0
        """Packets that did not come while images could be seen, as far as the stream tells."""
        self.delay = 0
        """Packets after which the latest image came out: the decoder holds images back whose order differs."""

    def decode(self, packet: VideoPacket, size: tuple[int, int] | None, is_late: bool = False) -> list[DecodedVideo]:
        """
        Return the images that come out, mostly the one of the packet.

        :param size: (width, height) of the camera, None if it is not known yet.
        :param is_late: there is no time for it, unless it is a key frame.
        :raises WireError: if the packet is dropped.
        """
        if packet.codec != self._codec:
            self._open(packet.codec)
        try:
            facts = self._facts(packet)
            for announced in facts.sizes:
                _check_size(announced, size)
        except WireError as error:
            self.restart(str(error))
            raise
        lost = self._count_lost(packet, facts)
        if self._cause is None:
            self.lost += lost
        if not facts.has_image:
            self._keep(packet.data)
            return []
        if facts.is_key:
            if self._cause is not None:
                self._context.flush_buffers()
            self._cause = None
        elif self._cause is None and lost:
            self.restart(f'{lost} packets were lost')
            raise WireError('lost_packets', f'{lost} packets before this one did not come: images wait for the next '
                            'key frame')
        elif self._cause is None and is_late:
            self.restart('packets come faster than they can be decoded')
            raise WireError('overrun', 'packets come faster than they can be decoded: images wait for the next key '
                            'frame')
        if self._cause is not None:
            self._skipped += 1
            raise WireError('no_key_frame', f'{self._skipped} packets without a key frame, since {self._cause}; the '
                            'encoder must send key frames (IDR) with their parameters again and again')
        return self._feed(packet)

    def restart(self, cause: str) -> None:
        """Forget what came and wait for the next key frame; :param cause: what happened, in words."""
        self._cause, self._skipped, self._number, self._steps = cause, 0, None, 0
        self._labels, self._parameters, self.delay = {}, b'', 0

    def end(self) -> list[DecodedVideo]:
        """Return the images that were held back; a stream goes on with a key frame."""
        if self._context is None or self._cause is not None:
            return []
        images = self._images(None)
        self.restart('the stream ended')
        return images

    def _open(self, codec: str) -> None:
        check_video_decoder('video')
        import av
        if codec not in _HEADERS:
            raise WireError('unreadable_image', f"video of the codec '{codec}', expected H.264 or H.265")
        self.restart('no key frame came so far')
        context = av.CodecContext.create(codec, 'r')
        # Threads over frames would hold images back. What is damaged shall not be repaired with other images.
        context.thread_count, context.thread_type = 1, 'SLICE'
        context.options = {'max_pixels': str(MAX_VIDEO_PIXELS), 'err_detect': 'explode'}
        self._codec, self._context, self._headers = codec, context, _HEADERS[codec]()

    def _facts(self, packet: VideoPacket) -> PacketFacts:
        if len(packet.data) > MAX_IMAGE_BYTES:
            raise WireError('too_large', f'a packet of {len(packet.data)} bytes, expected at most {MAX_IMAGE_BYTES}')
        try:
            return self._headers.read(packet.data)
        except ValueError as error:
            raise self._unreadable(packet, error) from error

    def _unreadable(self, packet: VideoPacket, error: Exception) -> WireError:
        return WireError('unreadable_image', f'{len(packet.data)} bytes are no packet of {packet.codec} video: {error}')

    def _count_lost(self, packet: VideoPacket, facts: PacketFacts) -> int:
        """Return how many packets are missing before one, by their numbers and by what the codec tells."""
        before, self._number = self._number, packet.number
        if before is None or packet.number is None:
            self._steps = 0
            return facts.lost
        step = packet.number - before
        if step == 1:
            self._steps += 1
            return facts.lost
        counted = self._steps >= _COUNTED and step > 1
        # Images that are sent in another order have steps back: their numbers tell nothing.
        self._steps = self._steps if counted else 0
        return max(facts.lost, step - 1) if counted else facts.lost

    def _keep(self, data: bytes) -> None:
        """Keep parameters that came alone for the image that they are for."""
        kept = self._parameters + data
        self._parameters = kept if len(kept) < 1 << 16 else data[:1 << 16]

    def _feed(self, packet: VideoPacket) -> list[DecodedVideo]:
        import av
        fed = av.Packet(self._parameters + packet.data)
        self._parameters = b''
        fed.pts = fed.dts = self._index
        self._labels[self._index] = packet.label
        self._labels.pop(self._index - _HELD, None)
        try:
            images = self._images(fed)
        except (av.error.FFmpegError, MemoryError) as error:
            self.lost += 1
            self.restart('a packet could not be decoded')
            raise self._unreadable(packet, error) from error
        self._index += 1
        return images

    def _images(self, fed: Any) -> list[DecodedVideo]:
        images = []
        for frame in self._context.decode(fed):
            if frame.pts not in self._labels:
                continue
            self.delay = self._index - frame.pts
            images.append(DecodedVideo(self._labels.pop(frame.pts), frame))
        return images


def _check_size(announced: VideoSize, size: tuple[int, int] | None) -> None:
    """Refuse an image before memory is taken for it."""
    width, height, coded_width, coded_height = announced
    if size is not None and (width, height) != size:
        raise WireError('wrong_size', f'video of {width}x{height}, the calibration is for {size[0]}x{size[1]}')
    if coded_width * coded_height > MAX_VIDEO_PIXELS or max(coded_width - width, coded_height - height) > _CROPPED:
        raise WireError('wrong_size', f'video of {width}x{height}, decoded as {coded_width}x{coded_height}; at '
                        f'most {MAX_VIDEO_PIXELS // 10**6} million pixels, cropped by at most {_CROPPED}')
