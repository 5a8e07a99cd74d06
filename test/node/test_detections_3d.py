"""Tracks under the types of vision_msgs, where that package is installed."""

import pytest
from support.ros_world import EgoWorld, camera_image
from vision_msgs.msg import Detection3DArray

from cooptrack_ros.nodes.outputs import detection_output

TOPIC = '/ego/ego_node/output/detections_3d'


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


def test_nothing_is_converted_while_nobody_listens(world, monkeypatch):
    converted = []
    monkeypatch.setattr('cooptrack_ros.wire.detections.to_detections', converted.append)
    ego = EgoWorld(world)
    ego.frame()
    ego.frame()
    assert not converted


def test_without_the_package_there_is_one_line_in_the_log_and_no_topic(world, monkeypatch, capfd):
    monkeypatch.setattr(detection_output, '_PACKAGE', 'no_such_msgs')
    ego = EgoWorld(world)
    assert ego.frame(camera_image(ego.now_ns)).tracks
    reported = [line for line in capfd.readouterr().err.splitlines() if 'no_such_msgs' in line]
    assert len(reported) == 1 and 'INFO' in reported[0]
    assert not ego.node.count_publishers(TOPIC)
