"""The thread that decodes video: every packet in order, and none of those that nobody could decode in time."""

from collections import Counter
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from support.video import GROUP, SIZE, encode, ffmpeg_packet, number_of, stamp_of

from cooptrack_ros.common.errors import UserError, WireError
from cooptrack_ros.nodes.inputs import camera_rig, video_input
from cooptrack_ros.nodes.inputs.camera_rig import CameraRig, check_image_transport
from cooptrack_ros.nodes.inputs.video_input import VideoInput
from cooptrack_ros.nodes.qos import LOCKSTEP_INPUT, input_qos, video_qos
from cooptrack_ros.nodes.settings import EgoSettings
from cooptrack_ros.sensors import video_decoding
from cooptrack_ros.wire.arrays import stamp_ns

pytest.importorskip('av', reason='PyAV is not installed: pip install av')


class Later:
    """A thread that works when it is told to."""

    def __init__(self):
        """Have nothing to do."""
        self.jobs = []

    def submit(self, work, *arguments):
        """Keep a job."""
        self.jobs.append((work, arguments))
        return Future()

    def work(self):
        """Do all jobs."""
        while self.jobs:
            work, arguments = self.jobs.pop(0)
            work(*arguments)


class Context:
    """As much of a node as inputs need."""

    def __init__(self, lockstep=False):
        """Count nothing yet."""
        self.refused, self.counted, self.gauges = [], [], {}
        self.settings = SimpleNamespace(lockstep=lockstep)
        self.health = SimpleNamespace(count=lambda *of: self.counted.append(of), gauge=self.gauges.__setitem__)

    def guarded(self, callback, topic, source):
        """Keep the reasons of what is refused."""
        def guard(message):
            try:
                callback(message)
            except WireError as error:
                self.refused.append(error.reason)
        return guard


@pytest.fixture
def stream():
    """Return a context, a thread, an input, and the images that come out of it."""
    context, seen = Context(), []
    return context, Later(), VideoInput(context, 'image', '/image', seen.append, lambda: SIZE), seen


def test_all_packets_are_decoded_in_order_however_late_the_thread_runs(stream):
    context, thread, video, seen = stream
    for packet in encode(count=14):
        video.put(ffmpeg_packet(packet), thread)
    assert not seen
    thread.work()
    assert [stamp_ns(image.header.stamp) for image in seen] == [stamp_of(n) for n in range(14)]
    assert [number_of(image.pixels()) for image in seen] == list(range(14))
    assert {image.header.frame_id for image in seen} == {'camera'} and not context.refused
    assert context.gauges == {'image.held_back_packets': 0} and video.problem() == ''


def test_when_too_many_wait_images_go_on_with_the_next_key_frame(stream, monkeypatch):
    monkeypatch.setattr(video_input, '_WAITING', 3)
    context, thread, video, seen = stream
    packets = encode(count=14)
    for packet in packets[:3]:
        video.put(ffmpeg_packet(packet), thread)
    with pytest.raises(WireError, match='faster than they can be decoded') as error:
        video.put(ffmpeg_packet(packets[3]), thread)
    assert error.value.reason == 'overrun'
    thread.work()
    for packet in packets[4:]:
        video.put(ffmpeg_packet(packet), thread)
        thread.work()
    assert [number_of(image.pixels()) for image in seen] == [0, 1, 2, *range(GROUP, 14)]
    assert context.refused == ['no_key_frame'] * (GROUP - 4)


def test_in_lockstep_everything_is_decoded(stream, monkeypatch):
    monkeypatch.setattr(video_input, '_WAITING', 1)
    monkeypatch.setattr(video_input, '_PATIENCE_S', -1.0)
    context, thread, video, seen = stream
    context.settings.lockstep = True
    for packet in encode(count=8):
        video.put(ffmpeg_packet(packet), thread)
    thread.work()
    assert len(seen) == 8


def test_packets_that_waited_too_long_are_left_out_up_to_the_next_key_frame(stream, monkeypatch):
    monkeypatch.setattr(video_input, '_PATIENCE_S', -1.0)
    context, thread, video, seen = stream
    for packet in encode(count=GROUP + 1):
        video.put(ffmpeg_packet(packet), thread)
    thread.work()
    assert [number_of(image.pixels()) for image in seen] == [0, GROUP]
    assert context.refused == ['overrun'] + ['no_key_frame'] * (GROUP - 2)


def test_a_stream_that_holds_images_back_is_a_problem_in_words(stream):
    context, thread, video, seen = stream
    for packet in encode(count=14, reordered=2):
        video.put(ffmpeg_packet(packet), thread)
    thread.work()
    stamps = [stamp_ns(image.header.stamp) for image in seen]
    assert stamps == sorted(stamps) and [number_of(image.pixels()) for image in seen] == list(range(len(seen)))
    assert 'holds each back for' in video.problem() and 'no B-frames' in video.problem()
    assert context.gauges['image.held_back_packets'] > 0


def test_video_is_received_with_a_long_queue_whatever_the_reliability():
    for kind in ('reliable', 'sensor_data'):
        images = input_qos(kind)
        video = video_qos(images)
        assert (video.depth, video.reliability) == (LOCKSTEP_INPUT.depth, images.reliability)


def test_what_is_not_installed_is_named_with_the_command_that_brings_it(monkeypatch):
    check_image_transport('ffmpeg')
    monkeypatch.setattr(video_decoding, 'find_spec', lambda name: None)
    check_image_transport('compressed')
    with pytest.raises(UserError, match="'image.transport' is 'ffmpeg', which needs PyAV.*: pip install av"):
        check_image_transport('ffmpeg')
    monkeypatch.setattr(camera_rig, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='needs foxglove_msgs.*: apt install ros-.ROS_DISTRO-foxglove-msgs'):
        check_image_transport('foxglove')


def test_images_of_several_cameras_are_put_together_whatever_their_packets_do():
    class Subscriptions(Context):
        def __init__(self):
            super().__init__()
            self.settings = EgoSettings(cameras='front,rear', image__transport='ffmpeg', lockstep=True)
            self.callbacks = {}

        def subscribe(self, kind, topic, callback, qos, source):
            self.callbacks[topic] = callback

        def refuse(self, source, error):
            self.refused.append(error.reason)
    context, frames = Subscriptions(), []
    rig = CameraRig(context, ['front', 'rear'], 'base')
    rig.subscribe(frames.append, input_qos('reliable'), None)
    for packet in encode(count=GROUP + 2):
        for camera in ('front', 'rear'):
            if (camera, packet.number) != ('rear', 2):
                context.callbacks[f'~/input/{camera}/image/ffmpeg'](ffmpeg_packet(packet, frame_id=camera))
    rig._video_thread.submit(int).result()
    rig.close()
    assert [[(i.header.frame_id, number_of(i.pixels())) for i in frame] for frame in frames] == [
        [('front', n), ('rear', n)] for n in (0, 1, GROUP, GROUP + 1)]
    assert Counter(context.refused) == {
        'lost_packets': 1, 'no_key_frame': GROUP - 4, 'missing_camera': GROUP - 2}
    assert Counter(context.counted)['image.front.received',] == GROUP + 2
