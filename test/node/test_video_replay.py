"""Bags with video: lockstep and offline replay answer those images that can be seen, with the same tracks."""

import numpy as np
import pytest
from support.configs import sensitive_weights
from support.ros_world import SIZE, calibration, odometry, pair
from support.video import encode, ffmpeg_packet, foxglove_video, stamp_of
from test_offline_replay import LATER_NS, noise, numbers, start, weights  # noqa: F401

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.recording import read_recording
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.replay.offline import OfflineOptions, OfflineReplay
from cooptrack_ros.replay.player import BagPlayer, PlayOptions
from cooptrack_ros.sensors import video_decoding
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.topics import features_topic

pytest.importorskip('av', reason='PyAV is not installed: pip install av')
COUNT, GROUP = 8, 3
SEEN = [3, 6, 7]
"""Images of the vehicle: its recording begins after a key frame, and a packet is missing."""


@pytest.fixture
def bag(tmp_path):
    """Give a bag of a vehicle with H.264 and of a unit with H.265."""
    path = tmp_path / 'bag'
    ego, unit = encode(count=COUNT, size=SIZE, group=GROUP), encode('hevc', count=COUNT, size=SIZE, group=GROUP)
    with BagWriter(path) as writer:
        writer.write('/ego/camera/calibration', calibration(), stamp_of(0), LATCHED)
        writer.write('/infra/rsu_1/camera/calibration', calibration('infra/rsu_1/lidar', 'map'), stamp_of(0), LATCHED)
        for i in range(COUNT):
            now, later = stamp_of(i), stamp_of(i) + LATER_NS
            writer.write('/ego/odometry', odometry(now), now)
            writer.write('/infra/rsu_1/pair', pair(now, later), now)
            if i not in (0, 4):
                writer.write('/ego/camera/image/ffmpeg', ffmpeg_packet(ego[i]), now)
            writer.write('/infra/rsu_1/camera/image/foxglove', foxglove_video(unit[i], 'hevc', stamp_ns=later), later)
    return path


def test_lockstep_and_offline_replay_see_the_same_images(world, bag, weights, tmp_path):  # noqa: F811
    start(world, RoadsideNode, '/infra/rsu_1', '/infra/rsu_1', weights=weights, lockstep=True,
          image__transport='foxglove')
    start(world, EgoNode, '/ego', '/ego', weights=weights, lockstep=True, image__transport='ffmpeg')
    with BagWriter(tmp_path / 'lockstep') as writer:
        collector = Collector(world.probe, ['rsu_1'], writer)
        spin = lambda seconds: world.executor.spin_once(timeout_sec=seconds)  # noqa: E731
        player = BagPlayer(world.probe, bag, collector, spin, PlayOptions(timeout_s=60.0))
        player.wait_for_nodes()
        player.play_lockstep()
        collector.settle(spin)
    with BagWriter(tmp_path / 'offline') as writer:
        result = OfflineReplay(bag, open_model(weights), OfflineOptions(), writer).run()
    assert (result['tracks'], result['features']) == (len(SEEN), {features_topic('rsu_1'): COUNT})
    assert result['dropped']['/ego/ego_node'] == {
        'dropped.image.no_key_frame': 2, 'dropped.image.lost_packets': 1}
    online, offline = read_recording(tmp_path / 'lockstep'), read_recording(tmp_path / 'offline')
    assert list(online.tracks) == list(offline.tracks) == list(map(stamp_of, SEEN))
    for stamp, frame in online.tracks.items():
        assert offline.tracks[stamp].mode == frame.mode == 'cooperative'
        np.testing.assert_array_equal(numbers(offline.tracks[stamp].tracks), numbers(frame.tracks))


def test_several_cameras_make_frames_of_the_images_that_can_be_seen_in_any_transport(tmp_path):
    reordered = encode(count=COUNT, size=SIZE, reordered=2, group=COUNT)
    with BagWriter(tmp_path / 'bag') as writer:
        for name in ('front', 'left', 'rear'):
            writer.write(f'/ego/camera_{name}/calibration', calibration(), stamp_of(0), LATCHED)
        for i, (plain, late) in enumerate(zip(encode(count=COUNT, size=SIZE, group=GROUP), reordered, strict=True)):
            writer.write('/ego/odometry', odometry(stamp_of(i)), stamp_of(i))
            if i not in (0, 4):
                writer.write('/ego/camera_front/image/foxglove', foxglove_video(plain), stamp_of(i))
            writer.write('/ego/camera_left/image/compressed', noise(stamp_of(i)), stamp_of(i))
            writer.write('/ego/camera_rear/image/ffmpeg', ffmpeg_packet(late), stamp_of(i))
    with BagWriter(tmp_path / 'answers') as writer:
        model = open_model(sensitive_weights(tmp_path, max_cameras=3))
        result = OfflineReplay(tmp_path / 'bag', model, OfflineOptions('none'), writer).run()
    assert result['tracks'] == result['ego_images'] == len(SEEN)
    assert list(read_recording(tmp_path / 'answers').tracks) == list(map(stamp_of, SEEN))


def test_without_the_decoder_the_bag_is_named_with_what_to_install(bag, weights, monkeypatch):  # noqa: F811
    monkeypatch.setattr(video_decoding, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='bag: video on /ego/camera/image/ffmpeg needs PyAV.*: pip install av'):
        OfflineReplay(bag, open_model(weights), OfflineOptions()).run()
