"""Notices inputs of a node that have fallen silent, and says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import QoSProfile

from ...wire.topics import kind_name
from .graph import published_topics, publishers_of, qos_words
from .silence import Wanted, explain

SILENT_S = 3.0
_REPEAT_S = 30.0


@dataclass(frozen=True)
class WatchedInput:
    """
    An input that should not be silent.

    ``source`` is its name in the diagnostics, ``what`` in words; ``name`` the topic as subscribed to. ``events``
    counts what came. One message is enough where ``once`` is set. ``refusal`` returns why nothing counts
    of what comes, empty if nothing came.
    """

    source: str
    what: str
    name: str
    kind: type
    qos: QoSProfile
    events: Callable[[], int]
    qos_parameter: str = ''
    once: bool = False
    refusal: Callable[[], str] = str


@dataclass
class _Activity:
    """What is known of one input; times are those of the steady clock."""

    events: int
    since: float
    reported: float | None = None


class SilenceWatch:
    """Watches inputs on the steady clock; ``check`` is called again and again by one thread."""

    def __init__(self, node: Node, inputs: Sequence[WatchedInput], clock: Callable[[], float] = time.monotonic):
        """Start now; :param clock: seconds."""
        self._node, self._inputs, self._clock = node, inputs, clock
        self._activity = [_Activity(i.events(), clock()) for i in inputs]

    def check(self) -> dict[str, str]:
        """Return an explanation for every input, by source, that is silent; log it at first and every 30 seconds."""
        now, found = self._clock(), {}
        for watched, activity in zip(self._inputs, self._activity, strict=True):
            events = watched.events()
            if events != activity.events or (watched.once and events):
                activity.events, activity.since, activity.reported = events, now, None
            elif now - activity.since >= SILENT_S:
                found[watched.source] = text = self._explain(watched, now - activity.since, events)
                if activity.reported is None or now - activity.reported >= _REPEAT_S:
                    activity.reported = now
                    self._node.get_logger().warning(text)
        return found

    def _explain(self, watched: WatchedInput, seconds: float, events: int) -> str:
        refusal = watched.refusal()
        if refusal:
            return refusal
        topic = self._node.resolve_topic_name(watched.name)
        wanted = Wanted(watched.what, watched.name, topic, kind_name(watched.kind), *qos_words(watched.qos),
                        watched.qos_parameter)
        cause = explain(wanted, publishers_of(self._node, topic), published_topics(self._node),
                        self._node.context.get_domain_id())
        before = f', {events} before' if events else ''
        return f'no {watched.what} on {topic} for {seconds:.0f} s{before}: {cause.evidence}. To do: {cause.advice}'
