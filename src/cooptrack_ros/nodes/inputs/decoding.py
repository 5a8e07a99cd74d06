"""Images are decoded in a thread of their own, while the worker is busy with the frame before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from ...sensors.image_decoding import DecodedImage
from ...wire.images import AnyImage, decode_for_network
from ...wire.views import check_stated_size


class DecodedFrame(NamedTuple):
    """The images of one frame, and when on the monotonic clock it was begun to decode them, and for how long."""

    images: list[DecodedImage]
    started: float
    seconds: float


class Decoding:
    """One thread that decodes frame after frame; OpenCV lets go of the interpreter meanwhile."""

    def __init__(self, least: tuple[int, int] | None, sizes: Callable[[], Sequence[tuple[int, int] | None]]):
        """
        Start.

        :param least: rows and columns that must remain of an image, see ``sensors.image_decoding.decode_reduced``.
        :param sizes: returns (width, height) of every camera, None where it is not known yet.
        """
        self._least, self._sizes = least, sizes
        self._thread = ThreadPoolExecutor(1, 'decoding')

    def begin(self, messages: Sequence[AnyImage]) -> Future[DecodedFrame]:
        """Return where the images of a frame will be, or the WireError of one that cannot be decoded."""
        return self._thread.submit(self._decode, messages)

    def stop(self) -> None:
        """End the thread; what has not begun is cancelled."""
        self._thread.shutdown(cancel_futures=True)

    def _decode(self, messages: Sequence[AnyImage]) -> DecodedFrame:
        started = time.monotonic()
        for message, size in zip(messages, self._sizes(), strict=True):
            check_stated_size(message, size)
        images = [decode_for_network(message, self._least) for message in messages]
        return DecodedFrame(images, started, time.monotonic() - started)
