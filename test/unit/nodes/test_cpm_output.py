"""A roadside unit publishes Collective Perception Messages where it is wanted and possible."""

import pytest
from support import cpm_types

from cooptrack_msgs.msg import Track, TrackArray
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.nodes.outputs import cpm_output
from cooptrack_ros.nodes.outputs.cpm_output import CpmOutput
from cooptrack_ros.nodes.settings import RoadsideSettings

ORIGIN = '50.7753,6.0839,220'


class FakeNode:
    """Keeps its publishers, what they send, and what is logged."""

    def __init__(self):
        """Nobody listens yet."""
        self.listeners, self.sent, self.topics, self.lines = 0, [], [], []

    def create_publisher(self, kind, topic, qos):
        """Be the publisher."""
        self.topics.append(topic)
        return self

    def get_subscription_count(self):
        """Return how many listen."""
        return self.listeners

    def publish(self, message):
        """Keep a message."""
        self.sent.append(message)

    def get_logger(self):
        """Be the logger."""
        return self

    def warning(self, line):
        """Keep a line."""
        self.lines.append(line)


def tracks(stamp_s=1):
    """Return two tracks of a unit."""
    result = TrackArray(tracks=[Track(id=i, class_name='car', score=0.5 + i / 10) for i in (1, 2)])
    result.header.stamp.sec = stamp_s
    result.map_from_lidar[::5] = 1.0
    return result


def test_without_a_station_there_is_nothing():
    node = FakeNode()
    CpmOutput(node, RoadsideSettings()).publish(tracks(), 64)
    assert not node.topics and not node.lines


def test_without_the_place_of_the_map_the_node_is_not_configured():
    with pytest.raises(UserError, match='map_origin'):
        CpmOutput(FakeNode(), RoadsideSettings(cpm__station_id=7))


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(cpm_output, 'find_spec', lambda package: None)
    node = FakeNode()
    CpmOutput(node, RoadsideSettings(cpm__station_id=7, map_origin=ORIGIN)).publish(tracks(), 64)
    line, = node.lines
    assert '/infra/rsu_1/cpm' in line and 'apt install ros-$ROS_DISTRO-etsi-its-cpm-ts-msgs' in line
    assert not node.topics


def test_tracks_are_sent_while_somebody_listens_the_best_of_them():
    cpm_types.install()
    node = FakeNode()
    output = CpmOutput(node, RoadsideSettings(cpm__station_id=7, map_origin=ORIGIN, unit_id='west'))
    assert node.topics == ['/infra/west/cpm']
    output.publish(tracks(), 64)
    assert not node.sent
    node.listeners = 1
    output.publish(tracks(2), 1)
    message, = node.sent
    assert message.header.station_id.value == 7
    seen, = message.payload.cpm_containers.value.array[
        1].container_data_perceived_object_container.perceived_objects.array
    assert seen.object_id.value == 2
