"""Transforms from /tf, looked up at the stamp of a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from ..wire.errors import WireError
from ..wire.poses import decode_transform


class _Listener(TransformListener):
    """Says when something came."""

    def __init__(self, buffer: Buffer, node: Node, on_news: Callable[[], None]):
        self._on_news = on_news
        super().__init__(buffer, node)

    def callback(self, data) -> None:
        """Store transforms."""
        super().callback(data)
        self._on_news()

    def static_callback(self, data) -> None:
        """Store static transforms."""
        super().static_callback(data)
        self._on_news()


class TfInput:
    """The tree of frames as far as it is known; a transform that is not known is never guessed."""

    def __init__(self, node: Node, on_news: Callable[[], None]):
        """
        Start to listen.

        :param on_news: called after every message, to wake up who waits.
        """
        self._buffer = Buffer(node=node)
        self._listener = _Listener(self._buffer, node, on_news)
        self.problem = 'nothing was received on /tf or /tf_static'
        """Why the last look-up found nothing."""

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray | None:
        """
        Return target_from_source (4, 4) at a stamp, or None if it is not known; never waits.

        :raises WireError: if a transform is not finite.
        """
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns))
        except TransformException as error:
            self.problem = str(error)
            return None
        return decode_transform(found)

    def missing(self, target: str, source: str) -> WireError:
        """Return the error that tells why the last look-up found nothing."""
        return WireError('missing_transform', f"no transform from '{source}' to '{target}' at the stamp of the "
                         f'picture: {self.problem}')

    def clear(self) -> None:
        """Forget what is not static, as time was set back."""
        self._buffer.clear()

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()
