"""The link emulator makes a link bad, as its parameters say, and looks into nothing."""

import numpy as np
import pytest
from rclpy.parameter import Parameter
from support.ros_world import MODEL, START_NS, EgoWorld, instances, stamp

from cooptrack_msgs.msg import InstanceFeatureArray, RoadsideOccupancy
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.cooperation.channel_model import ChannelModel, LinkConfig
from cooptrack_ros.nodes.link_emulator import LinkEmulator
from cooptrack_ros.nodes.qos import features_qos
from cooptrack_ros.wire.features import FeatureMeta, encode_instances

FEATURES = features_qos('reliable', 100)
INPUT, OUTPUT = '/link_emulator/input/features', '/link_emulator/output/features'


def start(world, remaps=(), **parameters):
    """Start a link emulator."""
    overrides = [Parameter(k.replace('__', '.'), value=v) for k, v in {'features__depth': 100, **parameters}.items()]
    arguments = ['--ros-args', *(a for old, new in remaps for a in ('-r', f'{old}:={new}'))] if remaps else []
    node = LinkEmulator(context=world.context, parameter_overrides=overrides, cli_args=arguments,
                     use_global_arguments=False)
    world.nodes.append(node)
    world.executor.add_node(node)
    return node


def message(number, ns=START_NS):
    """Return a real message with a number."""
    msg = encode_instances(instances(2), FeatureMeta.example())
    msg.sequence, msg.header.stamp, msg.model_id = number, stamp(ns), MODEL
    return msg


def send(world, emulator, count):
    """Send numbered messages; return the numbers that come out when all are accounted for."""
    publisher = world.probe.create_publisher(InstanceFeatureArray, INPUT, FEATURES)
    received = []
    world.probe.create_subscription(InstanceFeatureArray, OUTPUT, received.append, FEATURES)
    world.until(lambda: publisher.get_subscription_count() and emulator.count_subscribers(OUTPUT), 'the link emulator')
    for number in range(count):
        publisher.publish(message(number))
        world.until(lambda n=number: emulator.health.counts['messages.received'] > n, 'the link emulator to receive')

    def is_settled():
        counts = emulator.health.counts
        return counts['sent'] + counts['lost'] == count + counts['duplicated'] and len(received) == counts['sent']
    world.until(is_settled, 'all messages')
    return received


def test_a_good_link_passes_everything_on(world):
    received = send(world, start(world), 5)
    assert received == [message(n) for n in range(5)]


def test_loss_is_that_of_the_link_with_the_same_seed(world):
    settings = {'drop_rate': 0.4, 'burst_length': 3.0, 'seed': 5}
    link = ChannelModel(LinkConfig(**settings), np.random.default_rng(5))
    expected = [n for n in range(40) if link.send(n)]
    received = send(world, start(world, **settings), 40)
    assert [m.sequence for m in received] == expected and 5 < len(expected) < 35


def test_jitter_reorders_and_duplicates_come_twice(world):
    received = [m.sequence for m in send(world, start(world, jitter_ms=200.0, duplicate_rate=0.5), 30)]
    assert received != sorted(received) and len(received) > len(set(received)) == 30


def test_a_slower_unit_keeps_to_its_rate(world):
    emulator = start(world, rate_hz=0.1)
    assert [m.sequence for m in send(world, emulator, 5)] == [0] and emulator.health.counts['lost'] == 4


def test_nonsense_is_refused_by_name(world):
    with pytest.raises(UserError, match='drop_rate must be at most'):
        LinkEmulator(context=world.context, use_global_arguments=False, parameter_overrides=[
            Parameter('drop_rate', value=0.95), Parameter('burst_length', value=2.0)])
    with pytest.raises(UserError, match="'drop_rate'"):
        LinkEmulator(context=world.context, use_global_arguments=False,
                  parameter_overrides=[Parameter('drop_rate', value=2.0)])


def test_the_ego_node_fuses_what_comes_through(world):
    ego = EgoWorld(world)
    emulator = start(world, [('~/input/features', '/infra/rsu_1/features_before_link'),
                          ('~/output/features', '/infra/rsu_1/features')], latency_ms=30.0)
    world.publish('/infra/rsu_1/features_before_link', message(0))
    world.until(lambda: ego.unit_events(), 'the message at the ego node')
    assert emulator.health.counts['sent'] == 1
    assert ego.frame().mode == 'cooperative'


def test_voxels_pass_as_features_do(world):
    emulator = start(world, drop_rate=0.5, burst_length=1.0, seed=3)
    heard = [world.listen(OUTPUT, InstanceFeatureArray, FEATURES),
             world.listen('/link_emulator/output/occupancy', RoadsideOccupancy, FEATURES)]
    world.until(lambda: all(map(emulator.count_subscribers, (OUTPUT, '/link_emulator/output/occupancy'))), 'listeners')
    for number in range(12):
        world.publish(INPUT, message(number))
        world.publish('/link_emulator/input/occupancy', RoadsideOccupancy(unit_id='rsu_1', sequence=number))
    counts = emulator.health.counts
    world.until(lambda: counts['sent'] + counts['lost'] == 24 and sum(map(len, heard)) == counts['sent'],
                'all messages')
    features, voxels = ([m.sequence for m in messages] for messages in heard)
    assert features == voxels
    assert 0 < len(voxels) < 12
