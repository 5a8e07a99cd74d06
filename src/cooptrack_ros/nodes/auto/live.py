"""Looks for inputs in a running system."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node

from ...common.errors import UserError, WireError
from ...wire.serialized import read_message
from ...wire.topics import kind_of
from ..health.graph import offered_qos, published_topics, publishers_of, qos_words
from ..start import looking
from .facts import LOOKED_AT, TRANSFORMS, Seen, TopicFacts, details_of, frames_of

_NAME = 'cooptrack_autodetect'
_STEP_S = 0.2
SECONDS = 5.0
"""How long is looked: all that publish must have been found by then, or a second camera would be overlooked."""


class _Heard:
    """What came on one topic."""

    def __init__(self, kind: str) -> None:
        self.kind, self.count, self.details, self.reliability = kind, 0, {}, 'reliable'
        self._started = time.monotonic()

    @property
    def rate_hz(self) -> float:
        return self.count / max(time.monotonic() - self._started, 1e-9)


class GraphLook:
    """Finds topics and listens to those that may be inputs."""

    def __init__(self, node: Node, spin: Callable[[float], None]):
        """Take a node; :param spin: lets callbacks run for at most so many seconds."""
        self._node, self._spin = node, spin
        self._heard: dict[tuple[str, str], _Heard] = {}
        self._frames: set[str] = set()

    def look(self, seconds: float) -> Seen:
        """Look and listen for so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for topic, kinds in published_topics(self._node).items():
                for kind in kinds:
                    if (topic, kind) not in self._heard:
                        self._listen(topic, kind)
            stop = time.monotonic() + min(left, _STEP_S)
            while (left := stop - time.monotonic()) > 0:
                self._spin(left)
        topics = tuple(TopicFacts(topic, kind, heard.count, heard.rate_hz, heard.reliability, **heard.details)
                       for (topic, kind), heard in sorted(self._heard.items()))
        return Seen(topics, tuple(sorted(self._frames)), any(t.name == '/clock' for t in topics))

    def _listen(self, topic: str, kind: str) -> None:
        heard = self._heard[topic, kind] = _Heard(kind)
        publishers = [p for p in publishers_of(self._node, topic) if p.kind == kind]
        profile = offered_qos(publishers)
        heard.reliability, _ = qos_words(profile)
        if kind not in (*LOOKED_AT, TRANSFORMS):
            return
        try:
            message_class = kind_of(kind)
        except UserError:
            return
        self._node.create_subscription(message_class, topic, self._receiver(heard, message_class), profile, raw=True)

    def _receiver(self, heard: _Heard, message_class: type) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            try:
                if heard.kind == TRANSFORMS:
                    self._frames.update(frames_of(read_message(data, message_class)))
                elif not heard.count:
                    heard.details = details_of(heard.kind, read_message(data, message_class))
            except WireError:
                # A node would refuse it, too.
                return
            heard.count += 1
        return receive


def look_around(domain_id: int | None, seconds: float) -> Seen:
    """Return what is in a ROS domain (None: that of ROS_DOMAIN_ID)."""
    with looking(_NAME, domain_id) as (node, spin):
        return GraphLook(node, spin).look(seconds)
