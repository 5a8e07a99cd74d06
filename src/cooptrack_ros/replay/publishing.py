"""Publishers of serialized messages and of the clock, for all that plays bags."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from ..wire.arrays import set_stamp
from ..wire.topics import kind_of

CLOCK = '/clock'


def publisher_for(node: Node, topic: str, kind: str, latched: bool, kept: bool = False) -> Publisher:
    """
    Return a reliable publisher of a topic.

    :param kind: such as ``nav_msgs/msg/Odometry``; :param latched: the last message is kept for who comes later;
    :param kept: the last ten are.
    """
    profile = QoSProfile(
        depth=1 if latched else 10, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched or kept else DurabilityPolicy.VOLATILE)
    return node.create_publisher(kind_of(kind), topic, profile)


class ClockPublisher:
    """The time of the recording; it never runs back within a pass."""

    def __init__(self, node: Node):
        """Create the publisher."""
        self._publisher, self._now_ns = node.create_publisher(Clock, CLOCK, 10), -1

    def restart(self) -> None:
        """Let a new pass begin, whose time may be before that of the last one."""
        self._now_ns = -1

    def tick(self, now_ns: int) -> bool:
        """Publish a time unless it has been there; return whether it is new."""
        if now_ns <= self._now_ns:
            return False
        self._now_ns = now_ns
        message = Clock()
        set_stamp(message.clock, now_ns)
        self._publisher.publish(message)
        return True
