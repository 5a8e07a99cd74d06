"""What the parts of a node may use of it: its settings, health, clock and topics, and the wait for news."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ..common.errors import WireError
from ..common.text import readable
from ..wire.arrays import stamp_ns
from ..wire.images import AnyImage
from ..wire.serialized import check_texts, read_message
from .health.health import Health
from .inputs.decoding import DecodedFrame
from .params import Parameters
from .settings import CommonSettings

_REPEAT_S = 5.0


@dataclass
class FrameJob:
    """
    One frame on its way through the node.

    ``messages`` are the images of all cameras, the anchor's first; none where a point cloud makes a frame of its own.
    ``header`` is that of the anchor's image, or of the cloud; ``marks`` are (stage, start, duration) on the monotonic
    clock.
    """

    messages: tuple[AnyImage, ...]
    header: Header
    arrived: float
    taken: float = 0.0
    decoding: Future[DecodedFrame] | None = None
    """Where its images will be; None while other frames come first."""
    marks: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def stamp_ns(self) -> int:
        """Stamp of the frame."""
        return stamp_ns(self.header.stamp)

    @property
    def source(self) -> str:
        """Name under which is counted that it is dropped."""
        return 'image' if self.messages else 'points'

    def mark(self, stage: str, start: float) -> None:
        """Note a stage that started at ``start`` and ends now."""
        self.marks.append((stage, start, time.monotonic() - start))


class NodeContext:
    """A node as its inputs and outputs see it; callbacks store under ``arrived``, the worker waits for what comes."""

    def __init__(self, node: Node, parameters: Parameters, health: Health):
        """Take the node and what it is made of."""
        self._node, self._parameters, self.health = node, parameters, health
        self.arrived = threading.Condition()
        """Guards what callbacks store and the worker reads; tells the worker of news."""
        self._is_stopped = False
        self._said: dict[tuple[str, str], float] = {}
        """When a drop was logged, on the monotonic clock."""

    @property
    def settings(self) -> CommonSettings:
        """The present snapshot of the parameters."""
        return self._parameters.current

    @property
    def log(self) -> RcutilsLogger:
        """The logger of the node."""
        return self._node.get_logger()

    def now_ns(self) -> int:
        """Return the time of the node, which may be a simulated one."""
        return self._node.get_clock().now().nanoseconds

    def topic(self, name: str) -> str:
        """Return the full name of a topic."""
        return self._node.resolve_topic_name(name)

    def is_published(self, topic: str) -> bool:
        """Tell whether anybody publishes a topic."""
        return self._node.count_publishers(topic) > 0

    def subscribe(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile | int,
                  source: str) -> Subscription:
        """
        Subscribe; a message that the callback refuses or fails at is dropped and counted, see ``guarded``.

        So are those that cannot be deserialized or hold texts that are too long.

        :param source: name under which refused messages are counted.
        """
        if kind is not Image:
            return self.subscribe_serialized(
                kind, topic, lambda data: callback(read_message(data, kind)), qos, source)

        # To look at it before it is deserialized would copy a large message once more.
        def take(message: Image) -> None:
            check_texts(message)
            callback(message)
        return self._node.create_subscription(kind, topic, self.guarded(take, topic, source), qos)

    def subscribe_serialized(self, kind: type, topic: str, callback: Callable[[bytes], None], qos: QoSProfile | int,
                             source: str) -> Subscription:
        """Subscribe with a callback that takes serialized messages, otherwise as ``subscribe``."""
        return self._node.create_subscription(kind, topic, self.guarded(callback, topic, source), qos, raw=True)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        self._node.destroy_subscription(subscription)

    def guarded(self, callback: Callable[[Any], None], topic: str, source: str) -> Callable[[Any], None]:
        """Return a callback that may raise: a WireError refuses its message, any other error costs it, not the node."""
        def guard(message: Any) -> None:
            try:
                callback(message)
            except WireError as error:
                self.refuse(source, error)
            except Exception as error:
                self.failed(error, topic)
        return guard

    def start_timer(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call again and again, whatever the time of the node does: a paused or ended bag must not silence it."""
        return self._node.create_timer(seconds, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def end_timer(self, timer: Timer) -> None:
        """Call no more."""
        self._node.destroy_timer(timer)

    @property
    def _ends(self) -> bool:
        """Whether the node or the process was asked to end: what fails from then on, fails for that reason."""
        return self._is_stopped or not self._node.context.ok()

    def refuse(self, source: str, error: WireError) -> None:
        """Count a message that is dropped, and say so at most every five seconds, for each reason on its own."""
        if self._ends:
            return
        self.health.drop(source, error.reason, str(error))
        if self._is_due(source, error.reason):
            self.log.warning(f'dropped {source}: {error}')

    def failed(self, error: Exception, source: str = 'image') -> None:
        """Count a message that is lost by a mistake of ours, and say so at most every five seconds."""
        if self._ends:
            return
        text = readable(repr(error))
        self.health.drop(source, 'internal_error', text)
        if self._is_due(source, 'internal_error'):
            self.log.error(f'a message of {source} could not be processed: {text}')

    def _is_due(self, source: str, reason: str) -> bool:
        """Tell whether something may be said again: what follows from a cause must not silence it."""
        now = time.monotonic()
        if now - self._said.get((source, reason), -_REPEAT_S) < _REPEAT_S:
            return False
        self._said[source, reason] = now
        return True

    def notify(self) -> None:
        """Tell the worker that something came."""
        with self.arrived:
            self.arrived.notify_all()

    def begin(self) -> None:
        """Let the worker wait from now on."""
        self._is_stopped = False

    def end(self) -> None:
        """Let it wait no longer, not even for what it waits for now."""
        with self.arrived:
            self._is_stopped = True
            self.arrived.notify_all()

    def wait_for(self, get: Callable[[], Any], patience_s: float = 0.0, timeout_s: float | None = None) -> Any:
        """
        Return what ``get`` gives under the lock ``arrived``, waiting for it not to be None.

        The wait is bounded by ``patience_s``, in lockstep by ``timeout_s`` (default: the parameter), and ends when
        the node stops.
        """
        timeout = patience_s
        if self.settings.lockstep:
            timeout = self.settings.lockstep_timeout if timeout_s is None else timeout_s
        with self.arrived:
            self.arrived.wait_for(lambda: get() is not None or self._is_stopped, timeout)
            return get()
