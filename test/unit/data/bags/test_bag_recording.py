"""What nodes published comes back from a bag as arrays, and joins with its inputs."""

from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from cooptrack_msgs.msg import InstanceFeatureArray, Latency
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Boxes, InstanceSet, Match
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.merge import FEATURES_AHEAD_NS, merge_answers, merge_features, without_features
from cooptrack_ros.data.bags.recording import read_pairs, read_recording
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.wire.features import FeatureMeta, decode_instances, encode_instances
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks


def _boxes(count):
    rng = np.random.default_rng(count)
    return Boxes(rng.normal(size=(count, 3)), rng.uniform(1, 5, (count, 3)), rng.uniform(-3, 3, count),
                 rng.normal(size=(count, 2)), np.arange(count) % 3, rng.uniform(size=count), np.arange(count) + 40)


@pytest.fixture(scope='module')
def inputs(scenes):
    scene = scenes.scene(20001, 0.6, (160, 90))
    return scenes.bag(scene), SpdDataset(scene).records('cooperative')


@pytest.fixture(scope='module')
def answers(inputs, tmp_path_factory):
    path = tmp_path_factory.mktemp('answers') / 'bag'
    with BagWriter(path) as bag:
        for k, record in enumerate(inputs[1]):
            stamp, infra_stamp = record.stamp_us * 1000, record.infra_stamp_us * 1000
            boxes = _boxes(k)
            meta = TrackMeta(stamp, 'ego/lidar', 'cooperative', 'm', 'map', record.global_from_lidar, record.classes)
            matches = {40: Match(40, 'rsu_1', 0, 900, 0.5)} if k else {}
            provenance = np.full(k, 2)
            bag.write('/ego/ego_node/output/tracks',
                      encode_tracks(boxes, meta, np.zeros(k), provenance, matches), stamp)
            header = Header(frame_id='ego/lidar')
            header.stamp.sec, header.stamp.nanosec = divmod(stamp, 10 ** 9)
            bag.write('/ego/ego_node/debug/latency', Latency(header=header, total_s=0.25), stamp)
            empty = InstanceSet.empty(8)
            meta = FeatureMeta.example()
            message = encode_instances(empty, meta)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(infra_stamp, 10 ** 9)
            bag.write('/infra/rsu_1/features', message, max(stamp, infra_stamp))
    return path


def test_tracks_come_back_as_they_were_published(inputs, answers):
    recording = read_recording(answers)
    assert sorted(recording.tracks) == [r.stamp_us * 1000 for r in inputs[1]]
    for k, record in enumerate(inputs[1]):
        frame = recording.tracks[record.stamp_us * 1000]
        assert np.allclose(frame.tracks.centre, _boxes(k).centre, atol=1e-6)
        assert np.allclose(frame.tracks.yaw, _boxes(k).yaw, atol=1e-6)
        assert frame.tracks.track_id.tolist() == list(range(40, 40 + k))
        assert frame.infra_track_id.tolist() == [900, *[-1] * (k - 1)][:k]
        assert np.allclose(frame.map_from_lidar, record.global_from_lidar)
    assert set(recording.latency_s.values()) == {0.25}
    assert recording.features and not recording.detections


def test_pairs_hold_the_exact_relation(inputs):
    pairs = read_pairs(inputs[0])
    for record in inputs[1]:
        pair = pairs[record.stamp_us * 1000]
        assert pair.infra_stamp_ns == record.infra_stamp_us * 1000
        assert np.array_equal(pair.ego_from_infra, record.ego_from_infra)


def test_a_bag_without_answers_is_refused(inputs, tmp_path):
    with pytest.raises(UserError, match='not a recording of the ego node'):
        read_recording(inputs[0])
    with pytest.raises(UserError, match='cannot be read'):
        read_recording(tmp_path / 'nothing')


def test_a_merged_bag_has_all_topics_and_the_description(inputs, answers, tmp_path):
    merge_answers(inputs[0], answers, tmp_path / 'all')
    counts = {t.name: t.count for t in describe_bag(tmp_path / 'all').topics}
    for source in (inputs[0], answers):
        assert all(counts[t.name] == t.count for t in describe_bag(source).topics)
    assert describe_bag(tmp_path / 'all').description == describe_bag(inputs[0]).description


def test_features_stand_in_for_the_roadside_images(inputs, answers, tmp_path):
    merge_features(inputs[0], answers, tmp_path / 'features')
    topics = {t.name: t for t in describe_bag(tmp_path / 'features').topics}
    assert '/infra/rsu_1/camera/image/compressed' not in topics
    assert '/ego/ego_node/output/tracks' not in topics
    assert topics['/infra/rsu_1/features'].count == len(inputs[1])
    assert topics['/ego/camera/calibration'].latched
    assert max(abs(r.stamp_us - r.infra_stamp_us) * 1000 for r in inputs[1]) < FEATURES_AHEAD_NS


@pytest.mark.parametrize('encoding', ['float32', 'float16', 'int8'])
@pytest.mark.parametrize('compact', [True, False])
def test_features_can_be_lost_on_the_way_and_nothing_else(encoding, compact):
    rng = np.random.default_rng(1)
    features, points = rng.normal(size=(3, 5, 8)).astype(np.float32), rng.uniform(size=(5, 3)).astype(np.float32)
    sent = InstanceSet(_boxes(5), points, *features, points, np.full(5, 0.1, np.float32), points)
    meta = replace(FeatureMeta.example(), encoding=encoding, compact=compact)
    message = deserialize_message(
        without_features(serialize_message(encode_instances(sent, meta))), InstanceFeatureArray)
    arrived, reported = decode_instances(message)
    assert (reported.stamp_ns, reported.sequence, reported.encoding) == (meta.stamp_ns, meta.sequence, encoding)
    for name in ('semantic', 'motion', 'position_embedding'):
        np.testing.assert_array_equal(getattr(arrived, name), np.zeros((5, 8)))
    np.testing.assert_allclose(arrived.boxes.centre, sent.boxes.centre, atol=1e-6)
    np.testing.assert_array_equal(arrived.position_points, points)


def test_features_that_were_never_sent_are_an_error(inputs, tmp_path):
    with pytest.raises(UserError, match='no roadside features'):
        merge_features(inputs[0], inputs[0], tmp_path / 'features')


def test_a_unit_of_another_release_is_named(tmp_path):
    message = encode_instances(InstanceSet.empty(8), FeatureMeta.example())
    now = message.version
    message.version = now - 1
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/infra/rsu_1/features', message, 1)
    with pytest.raises(UserError, match=f'/infra/rsu_1/features.*version {now - 1},.*version {now}:'):
        read_recording(tmp_path / 'bag')
