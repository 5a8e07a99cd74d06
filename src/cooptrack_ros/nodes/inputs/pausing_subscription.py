"""A subscription that can stop listening for a while."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.qos import QoSProfile

from ..context import NodeContext


class PausingSubscription:
    """
    Listens to serialized messages of a topic.

    What comes while it is paused is dropped by the middleware and costs the node nothing.

    To be used from callbacks of the node only.
    """

    def __init__(self, context: NodeContext, kind: type, topic: str, callback: Callable[[bytes], None],
                 qos: QoSProfile, source: str):
        """Start listening, see ``NodeContext.subscribe_serialized``."""
        self._context, self._arguments = context, (kind, topic, callback, qos, source)
        self._timer = None
        self._subscription = context.subscribe_serialized(*self._arguments)

    def pause(self, seconds: float) -> None:
        """Stop listening for so long, whatever the time of the node does; no more than once at a time."""
        if self._subscription is not None:
            self._context.unsubscribe(self._subscription)
            self._subscription = None
            self._timer = self._context.start_timer(seconds, self._resume)

    def _resume(self) -> None:
        self._end_timer()
        self._subscription = self._context.subscribe_serialized(*self._arguments)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._context.end_timer(self._timer)
            self._timer = None

    def close(self) -> None:
        """Stop listening for good."""
        self._end_timer()
        if self._subscription is not None:
            self._context.unsubscribe(self._subscription)
            self._subscription = None
