"""Packets of video become images in a thread of their own, all of them, whichever are tracked afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...common.errors import WireError
from ...sensors.image_decoding import MAX_IMAGE_BYTES
from ...wire.video import VideoImage, VideoStream
from ..context import NodeContext

_WAITING = 200
"""Packets of one camera that wait to be decoded."""
_PATIENCE_S = 1.0
"""After such a wait a packet is only decoded if it is a key frame."""


class VideoInput:
    """
    The stream of one camera.

    What one packet decodes to depends on those before it. So each is decoded in its turn, and only afterwards the
    newest image replaces those that still wait for the network.
    """

    def __init__(self, context: NodeContext, source: str, topic: str, on_image: Callable[[VideoImage], None],
                 size: Callable[[], tuple[int, int] | None]):
        """
        Start to wait for packets.

        :param source: name under which packets are counted; :param on_image: gets the images, in the thread that
            decodes them; :param size: returns that of the camera, None if it is not known yet.
        """
        self._context, self._source, self._topic = context, source, topic
        self._on_image, self._size = on_image, size
        self._stream = VideoStream()
        self._lock = threading.Lock()
        self._packets = self._bytes = 0
        self._is_broken = False
        self._told = 0

    def put(self, message: Any, thread: ThreadPoolExecutor) -> None:
        """
        Take a packet; returns at once.

        :raises WireError: if too many wait.
        """
        arrived, size = time.monotonic(), len(message.data)
        with self._lock:
            is_full = self._packets >= _WAITING or self._bytes + size > MAX_IMAGE_BYTES
            if is_full and not self._context.settings.lockstep:
                self._is_broken = True
                raise WireError('overrun', 'packets come faster than they can be decoded: images wait for the next key '
                                'frame')
            self._packets, self._bytes = self._packets + 1, self._bytes + size
            is_first, self._is_broken = self._is_broken, False
        decode = self._context.guarded(lambda m: self._decode(m, arrived), self._topic, self._source)
        thread.submit(self._decode_next, decode, message, size, is_first)

    def problem(self) -> str:
        """Return what is wrong with the stream as a whole, in words, empty if nothing is."""
        delay = self._stream.delay
        return (f'{self._source}: the encoder sends images in another order, which holds each back for {delay} '
                'packets; let it make no B-frames (max_b_frames 0, tune zerolatency)' if delay else '')

    def _decode_next(self, decode: Callable[[Any], None], message: Any, size: int, is_first: bool) -> None:
        """Decode a packet of ``size`` bytes; :param is_first: after others that were refused."""
        with self._lock:
            self._packets, self._bytes = self._packets - 1, self._bytes - size
        if is_first:
            self._stream.break_off('packets come faster than they can be decoded')
        decode(message)

    def _decode(self, message: Any, arrived: float) -> None:
        is_late = time.monotonic() - arrived > _PATIENCE_S and not self._context.settings.lockstep
        try:
            images = self._stream.take(message, self._size(), arrived, is_late)
        finally:
            lost, self._told = self._stream.lost - self._told, self._stream.lost
            if lost:
                self._context.health.count(f'{self._source}.lost_packets', lost)
            self._context.health.gauge(f'{self._source}.held_back_packets', self._stream.delay)
        for image in images:
            self._on_image(image)
