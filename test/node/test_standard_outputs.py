"""Tracks under types that others know, where their packages are installed."""

from uuid import UUID

import pytest
from autoware_perception_msgs.msg import TrackedObjects
from geometry_msgs.msg import TransformStamped
from support.ros_world import EgoWorld, camera_image
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray

from cooptrack_msgs.msg import Track, TrackArray
from cooptrack_ros.nodes.outputs import standard_outputs
from cooptrack_ros.nodes.outputs.standard_outputs import StandardOutputs
from cooptrack_ros.nodes.qos import LATCHED

TOPIC = '/ego/ego_node/output/detections_3d'
OBJECTS = '/ego/ego_node/output/tracked_objects'


def test_the_tracks_of_a_frame_come_as_detections_under_their_identities(world):
    ego = EgoWorld(world)
    detections = world.listen(TOPIC, Detection3DArray)
    world.until(lambda: ego.node.count_subscribers(TOPIC) > 0, 'the listener')
    ego.features(count=2)
    tracks = ego.frame()
    world.until(lambda: detections, 'detections')
    message = detections[0]
    assert message.header == tracks.header
    assert [d.id for d in message.detections] == [str(t.id) for t in tracks.tracks] == ['1', '2', '3']
    for detection, track in zip(message.detections, tracks.tracks, strict=True):
        result, = detection.results
        assert (result.hypothesis.class_id, result.hypothesis.score) == ('car', pytest.approx(0.9))
        assert result.pose.pose == detection.bbox.center == track.pose
        assert detection.bbox.size == track.size
        assert detection.header == tracks.header


def test_the_tracks_of_a_frame_come_as_tracked_objects(world):
    ego = EgoWorld(world)
    received = world.listen(OBJECTS, TrackedObjects)
    world.until(lambda: ego.node.count_subscribers(OBJECTS) > 0, 'the listener')
    first = ego.frame()
    second = ego.frame()
    world.until(lambda: len(received) == 2, 'tracked objects')
    for message, tracks in zip(received, (first, second), strict=True):
        assert message.header.stamp == tracks.header.stamp and message.header.frame_id == tracks.map_frame
        assert len(message.objects) == len(tracks.tracks) > 0
    assert received[0].objects[0].object_id == received[1].objects[0].object_id


def test_lists_in_another_frame_come_once_its_transform_is_there_and_never_wrong(world):
    ego = EgoWorld(world, output__frame='town')
    received = world.listen(OBJECTS, TrackedObjects)
    world.until(lambda: ego.node.count_subscribers(OBJECTS) > 0, 'the listener')
    ego.send()
    ego.dropped('outputs', 'missing_transform')
    world.until(lambda: ego.node.health.counts['frames.processed'] == 1, 'the frame')
    assert not ego.tracks and not received
    fixed = TransformStamped(child_frame_id='map')
    fixed.header.frame_id = 'town'
    fixed.transform.translation.x, fixed.transform.rotation.w = 1000.0, 1.0
    world.probe.create_publisher(TFMessage, '/tf_static', LATCHED).publish(TFMessage(transforms=[fixed]))
    world.until(lambda: ego.node.tf.lookup('town', 'map', ego.now_ns) is not None, 'the transform')
    tracks = ego.frame()
    world.until(lambda: received, 'tracked objects')
    assert tracks.header.frame_id == received[0].header.frame_id == 'town'
    # The vehicle has driven 0.1 m since the first image.
    assert tracks.tracks[0].pose.position.x == pytest.approx(1010.1)
    assert received[0].objects[0].kinematics.pose_with_covariance.pose.position.x == pytest.approx(1010.1)
    assert ego.node.health.dropped('outputs', 'missing_transform') == 1


class FakePublisher:
    """A publisher whose listener comes and goes."""

    def __init__(self):
        """Nobody listens yet."""
        self.listeners, self.sent = 0, []

    def get_subscription_count(self):
        """Return how many listen."""
        return self.listeners

    def publish(self, message):
        """Keep a message."""
        self.sent.append(message)


class FakeFrame:
    """Leaves tracks where they are; a double of ``OutputFrame``."""

    is_chosen = False

    def place(self, tracks):
        """Return the same tracks."""
        return tracks


class FakeNode:
    """As much of a node as outputs need."""

    def __init__(self):
        """Without publishers."""
        self.publishers = {}

    def create_publisher(self, kind, topic, qos):
        """Return a publisher that keeps what it gets."""
        self.publishers[topic] = FakePublisher()
        return self.publishers[topic]


def test_uuids_survive_subscribers_that_come_and_go_and_end_with_a_reset_that_nobody_heard():
    node, numbers = FakeNode(), iter(range(1, 9))
    output = StandardOutputs(node, FakeFrame(), lambda: UUID(int=next(numbers)))
    objects = node.publishers['~/output/tracked_objects']

    def frame(reset=False):
        tracks = TrackArray(reset=reset, tracks=[Track(id=1, class_name='car')])
        tracks.map_from_lidar[::5] = 1.0
        output.publish(tracks)
    objects.listeners = 1
    frame(reset=True)
    objects.listeners = 0
    frame()
    objects.listeners = 2
    frame()
    objects.listeners = 0
    frame(reset=True)
    objects.listeners = 1
    frame()
    before, after_restart, after_reset = (bytes(m.objects[0].object_id.uuid) for m in objects.sent)
    assert before == after_restart != after_reset


@pytest.mark.parametrize('convert', ['detections.to_detections', 'tracked_objects.to_tracked_objects'])
def test_nothing_is_converted_while_nobody_listens(monkeypatch, convert):
    converted = []
    monkeypatch.setattr(f'cooptrack_ros.wire.{convert}', lambda *args: converted.append(args))
    output = StandardOutputs(FakeNode(), FakeFrame())
    output.publish(TrackArray())
    assert not converted


def test_without_the_packages_there_is_one_line_each_in_the_log_and_no_topic(world, monkeypatch, capfd):
    monkeypatch.setattr(standard_outputs, '_VISION', 'no_such_msgs')
    monkeypatch.setattr(standard_outputs, '_AUTOWARE', 'nor_such_msgs')
    ego = EgoWorld(world)
    assert ego.frame(camera_image(ego.now_ns)).tracks
    lines = capfd.readouterr().err.splitlines()
    for package in ('no_such_msgs', 'nor_such_msgs'):
        reported = [line for line in lines if package in line]
        assert len(reported) == 1 and 'INFO' in reported[0]
    assert not ego.node.count_publishers(TOPIC) and not ego.node.count_publishers(OBJECTS)
