"""Listens to what nodes answer while a bag is played: for lockstep, statistics and recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from visualization_msgs.msg import MarkerArray

from cooptrack_msgs.msg import InstanceFeatureArray, Latency, PanopticOccupancy, RoadsideOccupancy, TrackArray

from ..data.bags.writer import BagWriter
from ..wire.arrays import serialized_stamp_ns, stamp_ns
from ..wire.topics import (
    EGO_NODE,
    OCCUPANCY,
    features_topic,
    is_features_topic,
    is_unit_topic,
    kind_name,
    occupancy_topic,
    tracks_topic,
    unit_namespace,
    voxels_topic,
)

_QUIET_S = 1.5
"""After a real-time pass: so long without a message means that all answers are in."""
_PATIENCE_S = 15.0
_LARGE = (PanopticOccupancy, RoadsideOccupancy)
"""Only their stamps are looked at."""
_QOS = QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)


def recorded_topics(units: Iterable[str], with_detections: bool) -> dict[str, type]:
    """Return what is recorded of the nodes: topic and message type; :param with_detections: also detections."""
    topics: dict[str, type] = {'/diagnostics': DiagnosticArray}
    for unit in units:
        topics |= {features_topic(unit): InstanceFeatureArray, occupancy_topic(unit): RoadsideOccupancy}
    for node in [EGO_NODE, *(f'{unit_namespace(u)}/roadside_node' for u in units)]:
        topics |= {tracks_topic(node): TrackArray, f'{node}/output/markers': MarkerArray,
                   f'{node}/debug/latency': Latency, voxels_topic(node): PanopticOccupancy,
                   f'{node}/debug/occupancy_latency': Latency}
    if with_detections:
        topics[f'{EGO_NODE}/output/detections'] = TrackArray
    return topics


class Collector:
    """Keeps stamps, latencies, sizes and the last diagnostics; writes everything to a bag if there is one."""

    def __init__(self, node: Node, units: Iterable[str], writer: BagWriter | None = None,
                 with_detections: bool = False) -> None:
        """
        Subscribe to all outputs of the ego node and of the units, to markers only for a recording.

        :param writer: takes everything that comes.
        :param with_detections: also to the ego node's detections, which it makes only when somebody listens.
        """
        self._writer = writer
        self.now_ns = 0
        """Time of the recording; what comes now is recorded with it. Nothing is before the first message is played."""
        self._stamps: dict[str, set[int]] = {}
        self._latencies: dict[str, list[Latency]] = {}
        self._bytes: dict[str, int] = {}
        self._modes: dict[str, int] = {}
        self._fused: dict[str, int] = {}
        self._status: dict[str, Any] = {}
        self._last = time.monotonic()
        for topic, kind in recorded_topics(units, with_detections).items():
            if kind is MarkerArray and writer is None:
                # Nodes make them for who listens, which costs time that their answers would lack.
                continue
            node.create_subscription(kind, topic, self._receiver(topic, kind), _QOS, raw=True)

    def _receiver(self, topic: str, kind: type) -> Callable[[bytes], None]:
        name = kind_name(kind)

        def receive(data: bytes) -> None:
            if self._writer is not None and self.now_ns:
                self._writer.write_serialized(topic, name, data, self.now_ns)
            if kind in _LARGE:
                self._note_stamp(topic, serialized_stamp_ns(data), len(data))
            elif kind is not MarkerArray:
                self._note(topic, deserialize_message(data, kind), len(data))
        return receive

    def _note(self, topic: str, message: Any, size: int) -> None:
        if isinstance(message, DiagnosticArray):
            self._status |= {s.name: s for s in message.status}
            return
        if isinstance(message, Latency):
            self._last = time.monotonic()
            self._latencies.setdefault(topic, []).append(message)
            return
        self._note_stamp(topic, stamp_ns(message.header.stamp), size)
        if topic == tracks_topic():
            self._modes[message.mode] = self._modes.get(message.mode, 0) + 1
            for unit in fused_units(message):
                self._fused[unit] = self._fused.get(unit, 0) + 1

    def _note_stamp(self, topic: str, stamp: int, size: int) -> None:
        self._last = time.monotonic()
        self._stamps.setdefault(topic, set()).add(stamp)
        self._bytes[topic] = self._bytes.get(topic, 0) + size

    def has(self, topic: str, stamp_ns: int) -> bool:
        """Tell whether a message with this stamp came."""
        return stamp_ns in self._stamps.get(topic, ())

    def settle(self, spin: Callable[[float], None]) -> None:
        """Wait until no more answers come."""
        self._last, end = time.monotonic(), time.monotonic() + _PATIENCE_S
        while time.monotonic() < min(end, self._last + _QUIET_S):
            spin(0.1)

    def last_words(self) -> str:
        """Return what the nodes said of themselves, for error messages."""
        return ''.join(f'; {name} says: {status.message}' for name, status in sorted(self._status.items()))

    def summary(self, seconds: float) -> dict[str, Any]:
        """
        Return counts, modes, latency statistics, drops and data rate as plain data.

        ``fused`` counts, by unit, the tracks that an instance of the unit went into, over all frames.

        :param seconds: duration of what was played, for the data rate.
        """
        def per_second(is_wanted: Callable[[str], bool]) -> float:
            return sum(s for topic, s in self._bytes.items() if is_wanted(topic)) / seconds if seconds > 0 else 0.0

        def counts(is_wanted: Callable[[str], bool]) -> dict[str, int]:
            return {topic: len(s) for topic, s in self._stamps.items() if is_wanted(topic)}
        return {
            'tracks': len(self._stamps.get(tracks_topic(), ())),
            'features': counts(is_features_topic),
            'occupancy': counts(_is_voxels_topic),
            'modes': dict(sorted(self._modes.items())),
            'fused': dict(sorted(self._fused.items())),
            'latency_ms': {topic.removesuffix('/debug/latency'): latency_statistics(messages)
                           for topic, messages in sorted(self._latencies.items())},
            'dropped': {name: {v.key: int(v.value) for v in status.values if v.key.startswith('dropped.')}
                        for name, status in sorted(self._status.items())},
            'serialized_bytes_per_second': per_second(is_features_topic),
            'occupancy_bytes_per_second': per_second(lambda topic: is_unit_topic(topic, OCCUPANCY)),
        }


def _is_voxels_topic(topic: str) -> bool:
    return topic.endswith(voxels_topic('')) or is_unit_topic(topic, OCCUPANCY)


def fused_units(tracks: TrackArray) -> list[str]:
    """Return the unit of every track into which something was fused in this frame."""
    return [track.unit_id for track in tracks.tracks if track.unit_id]


def latency_statistics(messages: list[Latency]) -> dict[str, Any]:
    """Return p50 and p95 in milliseconds of total, computing time and every stage; the first frame is left out."""
    # The first frame of a process pays for memory and caches.
    messages = messages[1:] or messages
    stages = sorted({name for m in messages for name in m.stages})
    values = {'total': [m.total_s for m in messages], 'compute': [m.compute_s for m in messages]}
    values |= {s: [m.stage_duration_s[m.stages.index(s)] for m in messages if s in m.stages] for s in stages}
    return {name: {f'p{q}': round(float(np.percentile(v, q)) * 1e3, 3) for q in (50, 95)}
            for name, v in values.items()}
