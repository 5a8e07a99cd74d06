"""Tracks over the wire."""

import re
from pathlib import Path

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from cooptrack_msgs.msg import Track, TrackArray
from cooptrack_ros.common.config import R50
from cooptrack_ros.common.types import Boxes, Match
from cooptrack_ros.data.bags.custom_messages import TRUTH_MODE
from cooptrack_ros.wire.tracks import TrackMeta, decode_tracks, encode_tracks

META = TrackMeta(1_700_000_000_123_456_789, 'ego/lidar', 'cooperative', 'model', 'map', np.eye(4),
                 R50.class_names, True, 0.1, 2)


def boxes(count):
    """Return boxes of which the first has no known velocity."""
    random = np.random.default_rng(0)
    velocity = random.normal(size=(count, 2))
    velocity[:1] = np.nan
    return Boxes(random.normal(size=(count, 3)) * 30, random.random((count, 3)) + 0.5, random.uniform(-3.1, 3.1, count),
                 velocity, random.integers(0, 3, count), random.random(count).astype(np.float32).astype(float),
                 np.arange(1, count + 1))


def over_the_wire(sent, **changes):
    """Return the message as a receiver gets it."""
    n = len(sent)
    values = {'age_s': np.zeros(n), 'provenance': np.zeros(n, int), 'matches': {}, **changes}
    return deserialize_message(serialize_message(encode_tracks(sent, META, **values)), TrackArray)


def test_boxes_survive_the_round_trip():
    sent = boxes(5)
    received = decode_tracks(over_the_wire(sent))
    for name in ('centre', 'size', 'velocity', 'label', 'score', 'track_id'):
        np.testing.assert_array_equal(getattr(received, name), getattr(sent, name))
    np.testing.assert_allclose(received.yaw, sent.yaw, atol=1e-12)


def test_no_tracks_are_a_normal_message():
    message = over_the_wire(boxes(0))
    assert message.header.stamp.nanosec == 123_456_789
    assert message.reset and message.has_infra and message.infra_count == 2
    assert len(decode_tracks(message)) == 0


def test_a_fused_track_names_its_roadside_instance():
    match = Match(2, 'rsu_1', 4, 17, 0.75)
    message = over_the_wire(boxes(2), matches={2: match}, provenance=np.array([Track.EGO, Track.FUSED]),
                            missed_frames=np.array([0, 3]))
    first, second = message.tracks
    assert first.unit_id == ''
    assert (second.unit_id, second.infra_track_id, second.affinity) == ('rsu_1', 17, 0.75)
    assert (second.provenance, second.missed_frames) == (Track.FUSED, 3)


def test_the_comment_of_the_message_lists_every_mode():
    text = (Path(__file__).parents[3] / 'src/cooptrack_msgs/msg/TrackArray.msg').read_text(encoding='utf-8')
    listed = re.findall(r'^#   (\w+) {2,}', text, re.MULTILINE)
    assert sorted(listed) == sorted(['none', 'late', 'cooperative', 'roadside', TRUTH_MODE])
