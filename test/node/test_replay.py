"""The player in lockstep, with answers made by the test."""

from pathlib import Path

import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import CompressedImage
from support.ros_world import START_NS, STEP_NS, World, calibration, camera_image, odometry, pair

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.qos import LOCKSTEP_INPUT
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.replay.player import BagPlayer, PlayOptions

FRAMES = 4
UNITS = {'rsu_1': -30_000_000, 'rsu_2': 30_000_000}
"""When the image of a unit is taken, against the ego image of the pair."""


@pytest.fixture
def bag(tmp_path) -> Path:
    """Give a bag of an ego vehicle and two units, one of which takes its images later than the vehicle."""
    entries = [(START_NS, '/ego/camera/calibration', calibration(), LATCHED)]
    for i in range(FRAMES):
        now = START_NS + i * STEP_NS
        entries += [(now, '/ego/odometry', odometry(now)), (now, '/ego/camera/image/compressed', camera_image(now))]
        for unit, offset in UNITS.items():
            exact = pair(now, now + offset)
            exact.unit_id = unit
            entries += [(now - 1, f'/infra/{unit}/pair', exact),
                        (now + offset, f'/infra/{unit}/camera/image/compressed', camera_image(now + offset))]
    path = tmp_path / 'bag'
    with BagWriter(path) as writer:
        for log_ns, topic, message, *qos in sorted(entries, key=lambda entry: entry[0]):
            writer.write(topic, message, log_ns, *qos)
    return path


class Responder:
    """Answers images as nodes would and notes who was asked, in order."""

    def __init__(self, world: World, silent: str = ''):
        """Subscribe to all images; the agent ``silent`` never answers."""
        self.asked: list[tuple[str, int]] = []
        agents = {'ego': ('/ego/camera', TrackArray, '/ego/ego_node/output/tracks')}
        agents |= {u: (f'/infra/{u}/camera', InstanceFeatureArray, f'/infra/{u}/features') for u in UNITS}
        for name, (camera, kind, answers) in agents.items():
            publisher = world.probe.create_publisher(kind, answers, LOCKSTEP_INPUT)
            world.probe.create_subscription(
                CompressedImage, f'{camera}/image/compressed',
                lambda msg, n=name, p=publisher, k=kind: self._answer(msg, n, p, k, n == silent), LOCKSTEP_INPUT)

    def _answer(self, msg, name, publisher, kind, is_silent) -> None:
        self.asked.append((name, msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec))
        if not is_silent:
            publisher.publish(kind(header=msg.header))


def player(world: World, bag: Path, **options) -> BagPlayer:
    """Return a player that is ready to play."""
    collector = Collector(world.probe, list(UNITS))
    result = BagPlayer(world.probe, bag, collector, lambda seconds: world.executor.spin_once(timeout_sec=seconds),
                       PlayOptions(timeout_s=options.pop('timeout_s', 30.0), **options))
    result.wait_for_nodes()
    return result


def test_an_ego_image_follows_the_images_of_all_its_units_also_later_ones(world, bag):
    responder = Responder(world)
    report = player(world, bag).play_lockstep()
    expected = [(who, START_NS + i * STEP_NS + UNITS.get(who, 0))
                for i in range(FRAMES) for who in ('rsu_1', 'rsu_2', 'ego')]
    assert responder.asked == expected
    assert (report.ego_images, report.unit_images) == (FRAMES, {'rsu_1': FRAMES, 'rsu_2': FRAMES})


def test_a_limit_still_plays_what_the_last_image_needs(world, bag):
    responder = Responder(world)
    report = player(world, bag, limit=2).play_lockstep()
    assert report.ego_images == 2
    # The early image of the first unit that follows was played before the limit showed.
    assert [who for who, _ in responder.asked] == [*['rsu_1', 'rsu_2', 'ego'] * 2, 'rsu_1']


def test_who_does_not_answer_is_named(world, bag):
    Responder(world, silent='rsu_2')
    with pytest.raises(UserError, match=r"roadside node of unit 'rsu_2' did not answer .* /infra/rsu_2/features"):
        player(world, bag, timeout_s=3.0).play_lockstep()


def test_a_missing_node_is_named(world, bag):
    with pytest.raises(UserError, match='nobody listens to /ego/camera/image/compressed: is the ego node running'):
        player(world, bag, timeout_s=0.5)


def test_stamps_are_read_from_the_serialized_header(world, bag):
    Responder(world)
    entries = [e for e in player(world, bag).entries() if e.topic == '/ego/camera/image/compressed']
    assert np.diff([e.stamp_ns for e in entries]).tolist() == [STEP_NS] * (FRAMES - 1)


class LateMatch:
    """A publisher whose only listener is matched after some looks, and acknowledges what came before."""

    def __init__(self, looks: int):
        """Start without listener."""
        self._looks, self.acknowledged = looks, False

    def publish(self, data: bytes) -> None:
        """Take a message."""

    def get_subscription_count(self) -> int:
        """Match the listener at the last look."""
        self._looks -= 1
        return int(self._looks <= 0)

    def wait_for_all_acked(self, timeout) -> bool:
        """Acknowledge, if there is a listener."""
        assert timeout.nanoseconds > 0
        self.acknowledged = self._looks <= 0
        return True


def test_what_is_played_first_on_a_topic_is_delivered_before_the_next_message(world, bag):
    """An image must not overtake its calibration, however late the middleware learns of a listener."""
    Responder(world)
    played = player(world, bag)
    topic = '/ego/camera/calibration'
    world.probe.create_subscription(type(calibration()), topic, lambda msg: None, LOCKSTEP_INPUT)
    world.until(lambda: world.probe.count_subscribers(topic) == 1, 'the listener in the graph')
    late = played._publishers[topic] = LateMatch(looks=3)
    order = []
    world.probe.create_subscription(
        CompressedImage, '/ego/camera/image/compressed', lambda msg: order.append(late.acknowledged), LOCKSTEP_INPUT)
    assert played.play_rate().ego_images == FRAMES
    world.until(lambda: len(order) == FRAMES, 'all images')
    assert all(order)


def test_who_only_looks_is_not_taken_for_a_node(world, bag):
    """RViz listens to images, too; the nodes may still load their weights, with their publishers made already."""
    looks = {f'/{agent}/camera/image/compressed' for agent in ('ego', *(f'infra/{u}' for u in UNITS))}
    for topic in looks:
        world.probe.create_subscription(CompressedImage, topic, lambda msg: None, LOCKSTEP_INPUT)
    other = rclpy.create_node('loading', context=world.context)
    world.executor.add_node(other)
    other.create_publisher(TrackArray, '/ego/ego_node/output/tracks', LOCKSTEP_INPUT)
    with pytest.raises(UserError, match='the ego node does not listen to /ego/camera/image/compressed, though others'):
        player(world, bag, timeout_s=1.5)
    other.destroy_node()
