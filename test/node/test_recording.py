"""What is recorded while a bag is played."""

from rclpy.serialization import serialize_message

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.wire.topics import features_topic


class _Node:
    """Keeps the callbacks of subscriptions by topic."""

    def __init__(self):
        self.callbacks = {}

    def create_subscription(self, kind, topic, callback, qos, raw):
        self.callbacks[topic] = callback


class _Writer:
    """Keeps topic and time of what is written."""

    def __init__(self):
        self.written = []

    def write_serialized(self, topic, name, data, log_ns):
        self.written.append((topic, log_ns))


def test_nothing_is_recorded_before_the_first_message_is_played():
    node, writer, topic = _Node(), _Writer(), features_topic('rsu_1')
    collector = Collector(node, ['rsu_1'], writer)
    message = serialize_message(InstanceFeatureArray())
    node.callbacks[topic](message)
    collector.now_ns = 5_000_000_000
    node.callbacks[topic](message)
    assert writer.written == [(topic, 5_000_000_000)]
