"""H.264 and H.265 as inputs of a live node: tracks of every image that can be seen, and words for what cannot."""

import pytest
from support.ros_world import SIZE, EgoWorld, odometry
from support.video import GROUP, encode, ffmpeg_packet, foxglove_video, number_of, stamp_of

from cooptrack_ros.common.types import Side

pytest.importorskip('av', reason='PyAV is not installed: pip install av')
INPUT = '/ego/ego_node/input'


def start(world, transport):
    """Return an ego node that takes video and has poses for all its images."""
    ego = EgoWorld(world, image__transport=transport, lockstep=True, fusion__mode='none')
    for number in range(-1, 16):
        world.publish(f'{INPUT}/odometry', odometry(stamp_of(number)))
    world.until(lambda: ego.node.health.counts['odometry.received'] == 17, 'the poses')
    return ego


def seen_by(ego):
    """Return the stamps of the frames that the tracker had, and what their images show."""
    frames = [frame for frame, _ in ego.package.trackers[Side.VEHICLE].seen]
    # The first ones warm it up.
    return [(frame.stamp_ns, number_of(frame.images[0])) for frame in frames if frame.stamp_ns >= stamp_of(0)]


@pytest.mark.parametrize('transport', ['ffmpeg', 'foxglove'])
def test_a_stream_becomes_tracks_from_its_first_key_frame_on_and_after_a_loss_from_the_next(world, transport):
    ego = start(world, transport)
    codec = {'ffmpeg': 'h264', 'foxglove': 'hevc'}[transport]
    packets = [p for p in encode(codec, count=16, size=SIZE) if p.number >= 2 and p.number != GROUP + 2]
    for packet in packets:
        world.publish(f'{INPUT}/image/{transport}', ffmpeg_packet(packet) if transport == 'ffmpeg'
                      else foxglove_video(packet, codec))
    expected = [n for n in range(GROUP, 16) if not GROUP + 2 <= n < 2 * GROUP]
    world.until(lambda: len(ego.tracks) == len(expected), 'tracks')
    assert [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in ego.tracks] == list(map(stamp_of, expected))
    assert seen_by(ego) == [(stamp_of(n), n) for n in expected]
    reason = 'lost_packets' if transport == 'ffmpeg' else 'unreadable_image'
    ego.dropped('image', 'no_key_frame')
    ego.dropped('image', reason)
    counts = ego.node.health.counts
    subscription, = world.probe.get_subscriptions_info_by_topic(f'{INPUT}/image/{transport}')
    assert subscription.qos_profile.depth in (0, 100), 'a packet that is lost spoils those after it'
    assert (counts['dropped.image.no_key_frame'], counts[f'dropped.image.{reason}']) == (GROUP - 2 + 2, 1)
    assert counts['image.lost_packets'] == 1 and counts['image.received'] == len(expected)
