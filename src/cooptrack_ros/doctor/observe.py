"""Looks at a running ROS system through a small node."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from ..common.errors import UserError, WireError
from ..common.text import readable
from ..nodes.health.graph import full_name, offered_qos, published_topics, publishers_of, subscriptions_of
from ..nodes.health.silence import Endpoint, Wanted
from ..nodes.start import looking
from ..wire.arrays import serialized_stamp_ns
from ..wire.serialized import read_message
from ..wire.topics import CPM, FOREIGN_KINDS, kind_of
from .findings import CALIBRATION, FEATURES, PAIR, TRACKS
from .snapshot import NodeSeen, Snapshot, StatusSeen, TopicSeen

_NAME = 'cooptrack_doctor'
_VARIABLES = ('RMW_IMPLEMENTATION', 'ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY',
              'ROS_STATIC_PEERS', 'FASTDDS_BUILTIN_TRANSPORTS')
_PARAMETERS = ('weights', 'use_sim_time', 'image.transport', 'image.qos', 'camera.source', 'cameras',
               'features.reliability', 'map_frame', 'infra_units', 'unit_id', 'fusion.mode')
_GET_STATE = 'lifecycle_msgs/srv/GetState'
_NOT_INPUTS = ('/parameter_events', '/clock', '/rosout')
_ANSWER_S = 2.0
_TRANSFORMS = 'tf2_msgs/msg/TFMessage'
_WITHOUT_HEADER = (_TRANSFORMS, FOREIGN_KINDS[CPM])
_FIXED_QOS = (CALIBRATION, PAIR, _TRANSFORMS)
_SENT = (FEATURES, 'cooptrack_msgs/msg/RoadsideOccupancy', *FOREIGN_KINDS.values())
"""What comes from units."""


class GraphObserver:
    """Finds our nodes and listens to what they listen to."""

    def __init__(self, node: Node, spin: Callable[[float], None]):
        """Take a node; :param spin: lets callbacks run for at most so many seconds."""
        self._node, self._spin = node, spin
        self._topics: dict[str, TopicSeen] = {}
        self._statuses: dict[str, StatusSeen] = {}
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def observe(self, seconds: float) -> Snapshot:
        """Look for nodes for at most so many seconds, then listen for as many."""
        self._let_pass(seconds, until=self._found)
        # Endpoints of a node become known one after the other.
        self._let_pass(min(1.0, seconds))
        count = Counter(self._found())
        nodes = tuple(self._seen(name, namespace) for name, namespace in count)
        for seen in nodes:
            for wanted in seen.inputs:
                self._listen(wanted.topic, wanted.kind)
            for topic, kinds in self._node.get_publisher_names_and_types_by_node(*_split(seen.name)):
                if TRACKS in kinds and topic.endswith('/output/tracks'):
                    self._listen(topic, TRACKS)
        self._let_pass(seconds)
        own = {full_name(name, namespace) for name, namespace in self._found()} | {f'/{_NAME}'}
        everyone = {full_name(*pair) for pair in self._node.get_node_names_and_namespaces()}
        for name, topic in self._topics.items():
            topic.publishers = publishers_of(self._node, name)
        return Snapshot(
            seconds, self._node.context.get_domain_id(), rclpy.get_rmw_implementation_identifier(),
            {name: os.environ[name] for name in _VARIABLES if name in os.environ}, time.time_ns(), nodes,
            tuple(sorted(everyone - own)), self._topics, published_topics(self._node),
            tuple(s for s in self._statuses.values() if any(s.name.startswith(n.name) for n in nodes)), _shm_free(),
            {full_name(*pair): number for pair, number in count.items() if number > 1})

    def _let_pass(self, seconds: float, until: Callable[[], Any] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not until():
            self._spin(min(left, 0.1))

    def _found(self) -> list[tuple[str, str]]:
        """Return name and namespace of the life-cycle nodes that publish tracks."""
        return [(name, namespace) for name, namespace in self._node.get_node_names_and_namespaces()
                if self._has(self._node.get_service_names_and_types_by_node, name, namespace, _GET_STATE)
                and self._has(self._node.get_publisher_names_and_types_by_node, name, namespace, TRACKS)]

    def _has(self, ask: Callable, name: str, namespace: str, kind: str) -> bool:
        try:
            return any(kind in kinds for _, kinds in ask(name, namespace))
        except rclpy.node.NodeNameNonExistentError:
            # It went away in between.
            return False

    def _seen(self, name: str, namespace: str) -> NodeSeen:
        full = full_name(name, namespace)
        is_unit = self._has(self._node.get_publisher_names_and_types_by_node, name, namespace, FEATURES)
        reply = self._call(GetState, f'{full}/get_state', GetState.Request())
        answer = self._call(GetParameters, f'{full}/get_parameters', GetParameters.Request(names=list(_PARAMETERS)))
        values = map(parameter_value_to_python, answer.values) if answer else ()
        parameters = {k: v for k, v in zip(_PARAMETERS, values) if v is not None}
        return NodeSeen(full, 'roadside' if is_unit else 'ego', reply.current_state.label if reply else '', parameters,
                        tuple(self._inputs_of(name, namespace)))

    def _inputs_of(self, name: str, namespace: str) -> list[Wanted]:
        full, found = full_name(name, namespace), []
        for topic, _ in self._node.get_subscriber_names_and_types_by_node(name, namespace):
            for endpoint in subscriptions_of(self._node, topic):
                if endpoint.node == full and topic not in _NOT_INPUTS:
                    found.append(Wanted(topic, topic, topic, endpoint.kind, endpoint.reliability, endpoint.durability,
                                        _qos_parameter(endpoint)))
        return sorted(found, key=lambda wanted: wanted.topic)

    def _call(self, kind: type, service: str, request: Any) -> Any:
        client = self._node.create_client(kind, service)
        future = client.call_async(request)
        self._let_pass(_ANSWER_S, until=future.done)
        self._node.destroy_client(client)
        return future.result() if future.done() else None

    def _listen(self, topic: str, kind: str) -> None:
        if topic in self._topics:
            return
        seen = self._topics[topic] = TopicSeen(kind)
        try:
            message_class = kind_of(kind)
        except UserError as error:
            seen.refusal = str(error)
            return

        def receive(data: bytes) -> None:
            seen.count += 1
            try:
                if kind in (FEATURES, TRACKS):
                    seen.model_id = readable(read_message(data, message_class).model_id)
                if kind not in _WITHOUT_HEADER:
                    seen.stamps_ns.append(serialized_stamp_ns(data))
            except WireError as error:
                seen.refused, seen.refusal = seen.refused + 1, str(error)
        # Conflicts with the nodes are judged from the graph.
        self._node.create_subscription(message_class, topic, receive, offered_qos(publishers_of(self._node, topic)),
                                       raw=True)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            name = readable(status.name)
            self._statuses[name] = StatusSeen(name, level, readable(status.message),
                                              {readable(v.key): readable(v.value) for v in status.values})


def look(domain_id: int | None, seconds: float) -> Snapshot:
    """Return what is seen in a ROS domain (None: that of ROS_DOMAIN_ID)."""
    with looking(_NAME, domain_id) as (node, spin):
        return GraphObserver(node, spin).observe(seconds)


def _qos_parameter(endpoint: Endpoint) -> str:
    """Return the parameter of our nodes that sets the reliability of an input, empty if none does."""
    if endpoint.kind in _SENT:
        return 'features.reliability'
    return '' if endpoint.kind in _FIXED_QOS else 'image.qos'


def _split(full: str) -> tuple[str, str]:
    """Return name and namespace."""
    namespace, _, name = full.rpartition('/')
    return name, namespace or '/'


def _shm_free() -> int | None:
    try:
        status = os.statvfs('/dev/shm')
    except OSError:
        return None
    return status.f_bavail * status.f_frsize
