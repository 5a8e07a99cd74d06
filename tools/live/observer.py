"""What comes out of the ego node, as long as anybody watches."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile

from cooptrack_msgs.msg import InstanceFeatureArray, Latency, TrackArray
from cooptrack_ros.wire.topics import EGO_NODE, features_topic, tracks_topic

_KEPT = 5000


@dataclass(frozen=True)
class Answer:
    """One TrackArray: arrival (steady clock, s), mode, whether the tracker started anew."""

    arrived_s: float
    mode: str
    reset: bool


class Observer:
    """Keeps the last answers, delays and diagnostics; counts what units sent."""

    def __init__(self, node: Node, units: list[str]):
        """Subscribe to everything."""
        deep = QoSProfile(depth=200)
        self.answers: deque[Answer] = deque(maxlen=_KEPT)
        self.delays_s: deque[float] = deque(maxlen=_KEPT)
        self.num_answers = 0
        self.sent: Counter[str] = Counter()
        self.identity_errors: list[str] = []
        self.status: dict[str, tuple[str, dict[str, str]]] = {}
        self._ages: dict[int, float] = {}
        self._alive = True
        node.create_subscription(TrackArray, tracks_topic(), self._on_tracks, deep)
        node.create_subscription(Latency, f'{EGO_NODE}/debug/latency', lambda m: self.delays_s.append(m.total_s), deep)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, deep)
        for unit in units:
            node.create_subscription(InstanceFeatureArray, features_topic(unit),
                                     lambda m, unit=unit: self.sent.update([unit]), deep)

    def _on_tracks(self, msg: TrackArray) -> None:
        self.num_answers += 1
        self.answers.append(Answer(time.monotonic(), msg.mode, msg.reset))
        if msg.reset:
            self._ages = {}
        for track in msg.tracks:
            if track.age_s < self._ages.get(track.id, 0.0):
                self.identity_errors.append(f'identity {track.id} is {track.age_s:.1f} s old after '
                                            f'{self._ages[track.id]:.1f} s, without a reset')
            if msg.reset and track.age_s > 0:
                self.identity_errors.append(f'identity {track.id} has a past of {track.age_s:.1f} s at a reset')
            self._ages[track.id] = track.age_s

    def forget(self) -> None:
        """Take note that the ego node is a new one: identities have no past."""
        self._ages = {}

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            self.status[status.name] = status.message, {v.key: v.value for v in status.values}

    def counts(self, name: str = EGO_NODE) -> dict[str, int]:
        """Return the counters of a node as it reported them last."""
        values = self.status.get(name, ('', {}))[1]
        return {key: int(value) for key, value in values.items() if value.isdigit()}

    def longest_gap_s(self, since_s: float) -> float:
        """Return the longest time between answers since the last one before a time of the steady clock, up to now."""
        before = max((a.arrived_s for a in self.answers if a.arrived_s <= since_s), default=since_s)
        times = [before, *(a.arrived_s for a in self.answers if a.arrived_s > since_s), time.monotonic()]
        return max(b - a for a, b in zip(times, times[1:]))
