"""A subscription that can stop listening for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile


class PausingSubscription:
    """
    Listens to a topic; what comes while it is paused is dropped by the middleware and costs the node nothing.

    To be used from callbacks of the node only.
    """

    def __init__(self, node: Node, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile):
        """Start listening."""
        self._node, self._arguments = node, (kind, topic, callback, qos)
        self._timer = None
        self._subscription = node.create_subscription(*self._arguments)

    def pause(self, seconds: float) -> None:
        """Stop listening for so long, whatever the time of the node does; no more than once at a time."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._timer = self._node.create_timer(seconds, self._resume, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _resume(self) -> None:
        self._end_timer()
        self._subscription = self._node.create_subscription(*self._arguments)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None

    def close(self) -> None:
        """Stop listening for good."""
        self._end_timer()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
