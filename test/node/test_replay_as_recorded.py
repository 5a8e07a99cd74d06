"""A bag is played with everything that is in it, for those who only look."""

import numpy as np
import pytest
from rclpy.executors import ExternalShutdownException
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from support.ros_world import START_NS, STEP_NS, calibration, camera_image, odometry
from visualization_msgs.msg import Marker, MarkerArray

from cooptrack_msgs.msg import Calibration, TrackArray
from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.qos import LATCHED as LATCHED_QOS
from cooptrack_ros.nodes.qos import LOCKSTEP_INPUT
from cooptrack_ros.replay import as_recorded
from cooptrack_ros.replay.as_recorded import RecordedPlayer

FRAMES = 4
TOPICS = {'/ego/camera/image/compressed': CompressedImage, '/ego/ego_node/output/tracks': TrackArray,
          '/infra/rsu_1/camera/image/compressed': CompressedImage, '/ego/ego_node/output/markers': MarkerArray}


@pytest.fixture
def bag(tmp_path):
    """Give a recording: inputs and what nodes answered, also features of a unit beside its images."""
    with BagWriter(tmp_path / 'bag') as writer:
        writer.write('/ego/camera/calibration', calibration(), START_NS, LATCHED)
        for now in range(START_NS, START_NS + FRAMES * STEP_NS, STEP_NS):
            writer.write('/clock', Clock(), now)
            writer.write('/ego/odometry', odometry(now), now)
            for camera in ('/ego', '/infra/rsu_1'):
                writer.write(f'{camera}/camera/image/compressed', camera_image(now), now)
            writer.write('/ego/ego_node/output/tracks', TrackArray(header=odometry(now).header), now)
            writer.write('/ego/ego_node/output/markers', MarkerArray(markers=[Marker()]), now)
    return tmp_path / 'bag'


def test_everything_is_played_again_and_again_with_the_clock_of_the_recording(world, bag):
    heard = {topic: world.listen(topic, kind, LOCKSTEP_INPUT) for topic, kind in TOPICS.items()}
    clock = world.listen('/clock', Clock, LOCKSTEP_INPUT)
    latched = world.listen('/ego/camera/calibration', Calibration, LATCHED_QOS)
    player = RecordedPlayer(world.probe, bag, 1.0, lambda seconds: world.executor.spin_once(timeout_sec=seconds))
    world.until(lambda: all(world.probe.count_publishers(topic) for topic in TOPICS), 'the publishers')
    for topic in TOPICS:
        world.until(lambda t=topic: player._publishers[t].get_subscription_count() > 0, topic)
    # A clock, calibration, and four topics and a pose for every frame.
    assert [player.play(), player.play()] == [1 + 5 * FRAMES] * 2
    for topic, messages in heard.items():
        world.until(lambda m=messages: len(m) >= 2 * FRAMES, topic)
        assert len(messages) == 2 * FRAMES, topic
    assert latched
    end = START_NS + (FRAMES - 1) * STEP_NS
    world.until(lambda: clock[-1].clock.nanosec == end % 10**9, 'the last time')
    times = np.array([c.clock.sec * 10**9 + c.clock.nanosec for c in clock])
    assert (times[0], times[-1]) == (START_NS, end)
    assert (np.diff(times) < 0).sum() == 1
    # It goes on between messages.
    assert len(times) > 4 * FRAMES


def test_a_bag_without_messages_is_refused(world, tmp_path):
    with BagWriter(tmp_path / 'empty'):
        pass
    with pytest.raises(UserError, match='empty'):
        RecordedPlayer(world.probe, tmp_path / 'empty', 1.0, lambda seconds: None)


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--loop'], '--loop belongs to --as-recorded'), (['--as-recorded', '--lockstep'], 'does not go with --lockstep'),
    (['--as-recorded', '--json', 'x'], 'does not go with --json'),
    (['--as-recorded', '--rate', '0'], '--rate is 0')])
def test_options_that_mean_nothing_together_are_refused(bag, capsys, arguments, words):
    assert main(['replay', str(bag), *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize('end', [KeyboardInterrupt, ExternalShutdownException])
def test_a_loop_goes_on_until_it_is_interrupted_which_is_its_proper_end(bag, capsys, monkeypatch, end):
    passes = []

    def play(player):
        passes.append(player)
        if len(passes) == 3:
            raise end
        return 7
    monkeypatch.setattr(RecordedPlayer, 'play', play)
    monkeypatch.setattr(as_recorded, '_DISCOVERY_S', 0.0)
    assert main(['replay', str(bag), '--as-recorded', '--loop']) == 0
    assert 'played 2 time(s), 14 messages' in capsys.readouterr().out
