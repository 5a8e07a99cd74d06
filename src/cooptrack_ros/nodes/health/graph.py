"""The ROS graph, as one node sees it, in plain data."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ...common.text import readable
from .silence import Endpoint


def qos_words(profile: QoSProfile) -> tuple[str, str]:
    """Return reliability and durability in small letters."""
    return profile.reliability.name.lower(), profile.durability.name.lower()


def _endpoint(info) -> Endpoint:
    return Endpoint(full_name(info.node_name, info.node_namespace), readable(info.topic_type),
                    *qos_words(info.qos_profile))


def offered_qos(publishers: Sequence[Endpoint]) -> QoSProfile:
    """Return a profile with which a subscription gets what all of these publishers offer."""
    reliable = all(p.reliability == 'reliable' for p in publishers)
    latched = publishers and all(p.durability == 'transient_local' for p in publishers)
    return QoSProfile(
        depth=100, reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)


def full_name(name: str, namespace: str) -> str:
    """Return the full name of a node, as others may have spelt it."""
    return readable(f"{namespace.rstrip('/')}/{name}")


def full_names(node: Node) -> list[str]:
    """Return the full names of all nodes, of several with one name each."""
    return [full_name(*pair) for pair in node.get_node_names_and_namespaces()]


def publishers_of(node: Node, topic: str) -> list[Endpoint]:
    """Return the publishers of a topic (full name)."""
    return [_endpoint(info) for info in node.get_publishers_info_by_topic(topic)]


def subscriptions_of(node: Node, topic: str) -> list[Endpoint]:
    """Return the subscriptions of a topic (full name)."""
    return [_endpoint(info) for info in node.get_subscriptions_info_by_topic(topic)]


def published_topics(node: Node) -> dict[str, list[str]]:
    """Return the types of all topics that somebody publishes, by full name; without what is below the node itself."""
    own = f'{node.get_fully_qualified_name()}/'
    return {readable(name): [readable(kind) for kind in kinds] for name, kinds in node.get_topic_names_and_types()
            if not name.startswith(own) and node.count_publishers(name)}
