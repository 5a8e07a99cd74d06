"""Messages of video, and the images that come out of them."""

import pytest
from support.video import GROUP, SIZE, encode, ffmpeg_packet, foxglove_video, number_of, picture, stamp_of

from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.arrays import stamp_ns
from cooptrack_ros.wire.images import decode_for_network, decode_image, image_time_ns
from cooptrack_ros.wire.topics import find_images, is_unit_image_topic, transport_of, without_transport
from cooptrack_ros.wire.video import VideoStream, packet_of
from cooptrack_ros.wire.views import check_stated_size

pytest.importorskip('av', reason='PyAV is not installed: pip install av')


@pytest.fixture(scope='module')
def packets():
    """Return a video in H.264."""
    return encode(count=14)


@pytest.mark.parametrize(('encoding', 'codec'), [
    ('libx264', 'h264'), ('h264', 'h264'), ('h264_nvenc', 'h264'), ('h264_vaapi;nv12;bgr8;bgr8', 'h264'),
    ('hevc_nvenc', 'hevc'), ('libx265;yuv420p;bgr8;rgb8', 'hevc'), ('H265', 'hevc')])
def test_the_codec_is_known_by_the_names_of_its_encoders(packets, encoding, codec):
    packet = packet_of(ffmpeg_packet(packets[0], encoding))
    assert (packet.codec, packet.number, packet.data) == (codec, 0, packets[0].data)
    assert (stamp_ns(packet.label.stamp), packet.label.frame_id) == (stamp_of(0), 'camera')


@pytest.mark.parametrize('encoding', ['', 'mjpeg', 'libsvtav1', 'vp9'])
def test_other_codecs_are_refused_by_name(packets, encoding):
    with pytest.raises(WireError, match=f"video of the codec '{encoding}', expected H.264 or H.265") as error:
        packet_of(ffmpeg_packet(packets[0], encoding))
    assert error.value.reason == 'unreadable_image'


def test_a_video_of_foxglove_has_stamp_and_frame_of_its_own_and_no_number(packets):
    packet = packet_of(foxglove_video(packets[1], frame_id='front'))
    assert (packet.number, stamp_ns(packet.label.stamp), packet.label.frame_id) == (None, stamp_of(1), 'front')


def test_a_packet_without_a_stamp_is_refused(packets):
    for message in (ffmpeg_packet(packets[0], stamp_ns=0), foxglove_video(packets[0], stamp_ns=0)):
        with pytest.raises(WireError, match='has no time') as error:
            packet_of(message)
        assert error.value.reason == 'no_stamp'


@pytest.mark.parametrize('message', [ffmpeg_packet, foxglove_video])
def test_images_of_a_video_are_used_as_messages_of_images_are(packets, message):
    image, = VideoStream().take(message(packets[0]), SIZE, arrived=12.5)
    assert image_time_ns(image) == stamp_of(0) and image.arrived == 12.5
    check_stated_size(image, (1, 1))
    for pixels in (decode_image(image), decode_for_network(image, (8, 8)).pixels):
        assert pixels.shape == picture(0).shape and number_of(pixels) == 0


def test_when_time_is_set_back_the_stream_starts_anew_with_a_key_frame(packets):
    stream = VideoStream()
    for packet in packets[:9]:
        assert stream.take(ffmpeg_packet(packet), SIZE)
    with pytest.raises(WireError, match='1 packets without a key frame, since time was set back'):
        stream.take(ffmpeg_packet(packets[1]), SIZE)
    assert len(stream.take(ffmpeg_packet(packets[GROUP], stamp_ns=stamp_of(2)), SIZE)) == 1
    assert stream.lost == 0


def test_a_stream_that_is_broken_off_goes_on_with_a_key_frame(packets):
    stream = VideoStream()
    stream.take(ffmpeg_packet(packets[0]), SIZE)
    stream.break_off('the cable came off')
    with pytest.raises(WireError, match='since the cable came off'):
        stream.take(ffmpeg_packet(packets[1]), SIZE)
    assert stream.take(ffmpeg_packet(packets[GROUP]), SIZE)


def test_what_is_held_back_comes_at_the_end_and_only_once():
    stream, seen = VideoStream(), []
    for packet in encode(count=9, reordered=2):
        seen += stream.take(ffmpeg_packet(packet), SIZE)
    assert len(seen) < 9 and stream.delay > 0
    seen += stream.end()
    assert [stamp_ns(image.header.stamp) for image in seen] == list(map(stamp_of, range(9)))
    assert stream.end() == [] and VideoStream().end() == []


def test_transports_are_told_by_type_and_by_the_end_of_the_name():
    assert transport_of('ffmpeg_image_transport_msgs/msg/FFMPEGPacket') == 'ffmpeg'
    assert transport_of('nav_msgs/msg/Odometry') is None
    for topic in ('/c/image', '/c/image/compressed', '/c/image/ffmpeg', '/c/image/foxglove'):
        assert without_transport(topic) == '/c/image'
    assert find_images('/ego', ['/ego/camera/image/foxglove', '/ego/camera/image']) == ('/ego/camera/image', 'raw')
    assert is_unit_image_topic('/infra/rsu_1/camera/image/ffmpeg')
    assert not is_unit_image_topic('/ego/camera/image/ffmpeg')
