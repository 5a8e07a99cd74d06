"""Bags whose images are video: written, described and looked into."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg
from sensor_msgs.msg import CompressedImage
from support.ros_world import calibration
from support.video import GROUP, SIZE, encode, ffmpeg_packet, foxglove_video, number_of, picture, stamp_of
from visualization_msgs.msg import Marker, MarkerArray

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data.bags import video
from cooptrack_ros.data.bags.markers import read_markers
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.bags.types import LATCHED, typestore
from cooptrack_ros.data.bags.video import VideoEncoder, check_video_encoder
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.auto.bag import look_into
from cooptrack_ros.nodes.auto.choice import choose
from cooptrack_ros.viz.bag_scenes import bag_scenes
from cooptrack_ros.wire.arrays import header_of, stamp_ns, to_field
from cooptrack_ros.wire.topics import IMAGE_TRANSPORTS, VIDEO_TRANSPORTS, find_images, kind_of, tracks_topic
from cooptrack_ros.wire.tracks import TrackMeta, encode_tracks
from cooptrack_ros.wire.video import VideoStream, seen_in

ROOT = Path(__file__).resolve().parents[4]
pytest.importorskip('av', reason='PyAV is not installed: pip install av')


def image(number, size=SIZE):
    """Return an image as data sets store it."""
    data = cv2.imencode('.png', picture(number, size))[1]
    return CompressedImage(header=header_of(stamp_of(number), 'camera'), format='png', data=to_field(data, 'B'))


@pytest.mark.parametrize(('codec', 'name'), [('h264', 'h264'), ('h265', 'hevc')])
def test_images_that_are_written_as_video_come_back_under_their_stamps(codec, name):
    encoder, stream, keys = VideoEncoder(codec), VideoStream(), []
    for number in range(12):
        message = encoder.packet(image(number))
        assert message.encoding.partition(';')[0] == name and (message.width, message.height) == SIZE
        assert message.pts == number
        keys += [number] if message.flags else []
        found, = stream.take(message, SIZE)
        assert (stamp_ns(found.header.stamp), found.header.frame_id) == (stamp_of(number), 'camera')
        assert number_of(found.pixels()) == number
    assert stream.delay == stream.lost == 0
    # A change of the scene brings one earlier.
    assert keys[0] == 0 and 1 <= keys[1] <= 10


def test_sizes_that_no_video_has_are_refused():
    with pytest.raises(UserError, match='images of 63x48 cannot be written as video'):
        VideoEncoder('h264').packet(image(0, (63, 48)))
    encoder = VideoEncoder('h264')
    encoder.packet(image(0))
    with pytest.raises(UserError, match='an image of 32x48 after those of 64x48'):
        encoder.packet(image(1, (32, 48)))


def test_what_writing_needs_is_named(monkeypatch):
    check_video_encoder()
    monkeypatch.setattr(video, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='--video needs ffmpeg_image_transport_msgs, which is not installed'):
        check_video_encoder()


@pytest.mark.parametrize('transport', VIDEO_TRANSPORTS)
def test_the_types_that_bags_know_are_those_of_ros(transport):
    kind = IMAGE_TRANSPORTS[transport].kind
    definition = ROOT / 'ros_standins' / f'{kind}.msg'
    assert typestore().fielddefs[kind] == get_types_from_msg(definition.read_text(encoding='utf-8'), kind)[kind]
    assert [name for name, _ in typestore().fielddefs[kind][1]] == list(kind_of(kind).get_fields_and_field_types())


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Give a bag with H.264 of one camera that begins after a key frame, and odometry."""
    path = tmp_path_factory.mktemp('video') / 'bag'
    with BagWriter(path) as writer:
        for packet in encode(count=2 * GROUP)[1:]:
            writer.write('/ego/camera/image/ffmpeg', ffmpeg_packet(packet), stamp_of(packet.number))
        for packet in encode('hevc', count=2)[:2]:
            writer.write('/infra/rsu_1/camera/image/foxglove', foxglove_video(packet, 'hevc'), stamp_of(20))
    return path


def test_images_of_a_bag_are_found_whatever_their_transport_and_those_that_can_be_seen_are(bag):
    with BagReader(bag) as reader:
        topics = [c.topic for c in reader.connections]
        assert find_images('/ego', topics) == ('/ego/camera/image/ffmpeg', 'ffmpeg')
        assert find_images('/infra/rsu_1', topics) == ('/infra/rsu_1/camera/image/foxglove', 'foxglove')
        assert find_images('/infra/rsu_2', topics) is None
        streams, seen = {}, {}
        for connection, _, data in reader.messages(reader.connections):
            stream = streams.setdefault(connection.topic, VideoStream())
            seen.setdefault(connection.topic, []).extend(
                (stamp_ns(found.header.stamp), number_of(found.pixels()))
                for found in seen_in(reader.deserialize(connection, data), stream, SIZE))
    assert seen == {'/ego/camera/image/ffmpeg': [(stamp_of(n), n) for n in range(GROUP, 2 * GROUP)],
                    '/infra/rsu_1/camera/image/foxglove': [(stamp_of(n), n) for n in range(2)]}


def test_drawings_of_a_recording_show_the_images_that_can_be_seen(tmp_path):
    topic = '/ego/ego_node/output'
    with BagWriter(tmp_path / 'bag') as writer:
        writer.write('/ego/camera/calibration', calibration(size=SIZE), stamp_of(0), LATCHED)
        for packet in encode(count=GROUP + 2)[1:]:
            now = stamp_of(packet.number)
            writer.write('/ego/camera/image/ffmpeg', ffmpeg_packet(packet), now)
            meta = TrackMeta(now, 'ego/lidar', 'none', 'm', 'map', np.eye(4), ('car',))
            writer.write(tracks_topic(), encode_tracks(Boxes.empty(), meta, np.zeros(0), np.zeros(0), {}), now + 1)
            writer.write(f'{topic}/markers', MarkerArray(markers=[Marker(header=header_of(now, 'ego/lidar'))]), now + 2)
    scenes = {stamp: [number_of(view.image) for view in scene.ego_cameras]
              for stamp, scene in bag_scenes(tmp_path / 'bag')}
    drawn = {frame.stamp_ns: frame.image for frame in read_markers(tmp_path / 'bag', '/ego/ego_node')}
    assert len(scenes) == len(drawn) == GROUP + 1
    for number in range(1, GROUP + 2):
        is_seen = number >= GROUP
        assert scenes[stamp_of(number)] == [number] * is_seen
        assert (drawn[stamp_of(number)] is not None) == is_seen


def test_autodetect_takes_the_video_of_a_bag(bag):
    seen = look_into(bag)
    assert {t.name: t.frame for t in seen.topics} == {
        '/ego/camera/image/ffmpeg': 'camera', '/infra/rsu_1/camera/image/foxglove': 'camera'}
    choice = choose(seen)
    assert choice.remappings['~/input/image/ffmpeg'] == '/ego/camera/image/ffmpeg'
    assert choice.parameters['image.transport'] == 'ffmpeg'


def test_other_messages_are_images_by_themselves():
    message = image(3)
    assert seen_in(message, VideoStream()) == [message]
    assert np.array_equal(message.header.frame_id, 'camera')
