"""Transforms from /tf, looked up at the stamp of an image."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from ...common.errors import WireError
from ...sensors.camera_sync import JUMP_S
from ...wire.arrays import stamp_ns
from ...wire.poses import decode_transform
from ..context import NodeContext

TRANSFORM_PATIENCE_S = 0.1
"""How long a frame waits for the transforms of its stamp, in real time."""


class _Listener(TransformListener):
    """Says what came."""

    def __init__(self, buffer: Buffer, node: Node, context: NodeContext, before: Callable[[object], None]):
        self._context, self._before = context, before
        self._dynamic = context.guarded(self._take, '/tf', '/tf')
        self._static = context.guarded(super().static_callback, '/tf_static', '/tf_static')
        super().__init__(buffer, node)

    def _take(self, data) -> None:
        self._before(data)
        super().callback(data)

    def callback(self, data) -> None:
        """Store transforms."""
        self._dynamic(data)
        self._context.notify()

    def static_callback(self, data) -> None:
        """Store static transforms."""
        self._static(data)
        self._context.notify()


class TfInput:
    """The tree of frames as far as it is known; a transform that is not known is never guessed."""

    def __init__(self, node: Node, context: NodeContext):
        """Start to listen with a node, which the listener of ROS needs as a whole; who waits is woken up by news."""
        self._buffer = Buffer(node=node)
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}
        """Stamps of dynamic transforms by child frame, of the present pass of a bag."""
        self._listener = _Listener(self._buffer, node, context, self._follow)
        self.problem = 'nothing was received on /tf or /tf_static'
        """Why the last look-up found nothing."""

    def _follow(self, data) -> None:
        """Forget what came before time was set back, as soon as a transform tells: a buffer keeps what is newer."""
        with self._lock:
            for transform in data.transforms:
                stamp, child = stamp_ns(transform.header.stamp), transform.child_frame_id
                if self._newest.get(child, stamp) > stamp + JUMP_S * 1e9:
                    self._forget()
                self._newest[child] = max(stamp, self._newest.get(child, stamp))

    def _forget(self) -> None:
        self._buffer.clear()
        self._newest.clear()

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
                         f'image: {self.problem}')

    def restart(self, stamp_ns: int) -> None:
        """
        Go on at a stamp after images were set back.

        Transforms of the new pass may have come before its first image: they are kept.
        """
        with self._lock:
            if any(newest > stamp_ns + JUMP_S * 1e9 for newest in self._newest.values()):
                self._forget()

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()
