"""A unit that floods, lies or sends what nobody expected does not stop the vehicle."""

import time
from functools import partial

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from support.ros_world import INFRA, MODEL, EgoWorld, boxes, instances

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.wire.features import FeatureMeta, encode_instances

FLOOD = 20
"""Messages between two images."""


class Arrivals:
    """The steady clock by which messages of units arrive, one every millisecond, however busy the machine is."""

    now_s = 1000.0

    def monotonic(self):
        """Return the time of the next one."""
        self.now_s += 1e-3
        return self.now_s


@pytest.fixture
def arrivals(monkeypatch):
    """Give the clock."""
    clock = Arrivals()
    monkeypatch.setattr('cooptrack_ros.nodes.inputs.unit_receiver.time', clock)
    return clock


def message(sequence, ns, count=900):
    """Return a large message of the unit."""
    return encode_instances(instances(count), FeatureMeta('rsu_1', 1, sequence, MODEL, ns, 'lidar', 'map'))


def listened_to(node) -> set[str]:
    """Return the topics that a node has subscribed to and that are not of every node."""
    return {s.topic_name for s in node.subscriptions} - {'/clock', '/parameter_events'}


def test_every_image_is_answered_while_a_unit_floods(world, arrivals):
    ego = EgoWorld(world, fusion__max_unit_rate=1.0)
    ego.features()
    for frame in range(10):
        for number in range(FLOOD):
            world.publish(f'{INFRA}/features', message(1 + frame * FLOOD + number, ego.now_ns))
        assert ego.frame().header.stamp.nanosec == frame * 100_000_000
    assert ego.node.health.counts['frames.processed'] == 10
    ego.dropped('rsu_1', 'too_many')


def test_a_unit_that_floods_is_not_listened_to_for_a_while(world, arrivals, monkeypatch):
    # Long enough to be seen on a busy machine.
    monkeypatch.setattr('cooptrack_ros.nodes.inputs.infra_input.FLOOD_PAUSE_S', 1.0)
    ego = EgoWorld(world, fusion__max_unit_rate=5.0)
    listeners = partial(world.probe.count_subscribers, f'{INFRA}/features')
    ego.features()
    for number in range(1, 6):
        world.publish(f'{INFRA}/features', message(number, ego.now_ns, 2))
    ego.dropped('rsu_1', 'too_many')
    world.until(lambda: not listeners(), 'the end of the subscription')
    world.until(listeners, 'the subscription to be back')
    arrivals.now_s += 1.0
    received = ego.node.health.counts['rsu_1.received']
    ego.features(sequence=6)
    assert ego.node.health.counts['rsu_1.received'] == received + 1


def test_a_node_that_is_deactivated_does_not_listen_again(world, arrivals, monkeypatch):
    monkeypatch.setattr('cooptrack_ros.nodes.inputs.infra_input.FLOOD_PAUSE_S', 1.0)
    ego = EgoWorld(world, fusion__max_unit_rate=1.0)
    ego.features()
    world.publish(f'{INFRA}/features', message(1, ego.now_ns, 2))
    ego.dropped('rsu_1', 'too_many')
    ego.node.trigger_deactivate()
    arrivals.now_s += 1.0
    pause_is_over = time.monotonic() + 1.2
    world.until(lambda: time.monotonic() > pause_is_over, 'the end of the pause')
    assert f'{INFRA}/features' not in listened_to(ego.node)
    ego.node.trigger_activate()
    world.until(lambda: world.probe.count_subscribers(f'{INFRA}/features'), 'the subscription to be back')


def test_another_unit_is_received_while_one_floods(world, arrivals):
    ego = EgoWorld(world, infra_units='rsu_1,rsu_2', fusion__max_unit_rate=1.0)
    for number in range(3 * FLOOD):
        world.publish(f'{INFRA}/features', message(number, ego.now_ns, 2))
    meta = FeatureMeta('rsu_2', 1, 0, MODEL, ego.now_ns, 'lidar', 'map')
    world.publish('/infra/rsu_2/features', encode_instances(instances(2), meta))
    world.until(lambda: ego.node.health.counts['rsu_2.received'] == 1, 'the message of the other unit')
    assert not ego.node.health.dropped('rsu_2', 'too_many')


def test_units_that_may_only_confirm_are_marked(world):
    ego = EgoWorld(world, infra_units='rsu_1,rsu_2', fusion__confirm_only='rsu_1')
    ego.features()
    ego.frame()
    _, messages = ego.package.trackers[Side.COOPERATIVE].seen[-1]
    assert [(m.unit_id, m.may_create) for m in messages] == [('rsu_1', False)]


def test_confirm_only_for_a_unit_that_is_not_listened_to_is_a_mistake(world):
    ego = EgoWorld(world, calibrated=False, infra_units='rsu_1', fusion__confirm_only='rsu_3')
    assert isinstance(ego.node, EgoNode) and not listened_to(ego.node)
    with pytest.raises(UserError, match='rsu_3'):
        ego.node.settings.only_confirm(['rsu_1'])


def test_what_is_no_message_is_counted_and_told_of_its_unit(world):
    ego = EgoWorld(world)
    good = serialize_message(message(0, ego.now_ns, 2))
    for data in (good[:-8], b'\0\1\0\0' + b'\xff' * 100, b''):
        known = ego.unit_events()
        world.publish_serialized(f'{INFRA}/features', InstanceFeatureArray, data)
        world.until(lambda n=known: ego.unit_events() > n, 'the refusal')
    ego.dropped('rsu_1', 'undecodable')
    ego.dropped('rsu_1', 'long_text')
    world.publish_serialized('/ego/ego_node/input/odometry', Odometry, b'\0\1\0\0')
    ego.dropped('odometry', 'undecodable')
    assert ego.frame().mode == 'none'


def test_no_text_of_a_unit_reaches_diagnostics_or_log_as_it_is(world, capfd):
    ego = EgoWorld(world)
    ego.features(unit_id='a\x1b[31m\n[ERROR] forged', sequence=0)
    ego.dropped('rsu_1', 'wrong_unit')
    sent = message(1, ego.now_ns, 2)
    sent.header.frame_id = 'x' * 1_000_000
    world.publish(f'{INFRA}/features', sent)
    ego.dropped('rsu_1', 'long_text')
    ego.features(model='\x1b[31m\n', sequence=2)

    def told():
        return [s for a in ego.diagnostics for s in a.status]
    world.until(lambda: any('wrong model' in s.message for s in told()), 'the wrong model')
    texts = [t for s in told() for t in (s.message, *(v.value for v in s.values))]
    assert all(t.isprintable() and len(t) < 2000 for t in texts) and any('forged' in t for t in texts)
    logged = capfd.readouterr().err
    assert '\x1b[31m' not in logged and '\n[ERROR] forged' not in logged and r'\n[ERROR] forged' in logged


def test_one_message_does_not_silence_a_unit(world):
    ego = EgoWorld(world)
    ego.features(sequence=5)
    ego.features(sequence=2**64 - 1)
    ego.dropped('rsu_1', 'implausible_number')
    ego.features(sequence=6)
    assert ego.node.health.counts['rsu_1.received'] == 2 and ego.frame().mode == 'cooperative'


def test_sessions_that_alternate_are_warned_of_and_the_first_is_kept(world, arrivals):
    ego = EgoWorld(world)
    for number in range(3):
        ego.features(sequence=number)
        ego.features(sequence=number, session=77)
    ego.dropped('rsu_1', 'other_session')
    assert ego.node.health.counts['rsu_1.received'] == 4

    def units():
        return [s for a in ego.diagnostics for s in a.status if s.name.endswith('unit rsu_1')]
    world.until(lambda: any('under the name of the unit' in s.message for s in units()), 'the warning')


def test_a_pose_that_turns_round_is_refused(world):
    ego = EgoWorld(world)
    ego.features(sequence=0)
    ego.features(sequence=1, map_from_lidar=np.diag([-1.0, -1.0, 1.0, 1.0]).reshape(-1))
    ego.dropped('rsu_1', 'pose_jumped')
    ego.features(sequence=2)
    assert ego.node.health.counts['rsu_1.received'] == 2


def test_a_callback_that_fails_costs_its_message_only(world, monkeypatch):
    ego = EgoWorld(world)
    monkeypatch.setattr('cooptrack_ros.nodes.inputs.unit_receiver.decode_instances',
                        lambda msg, limits: boxes('no number'))
    ego.world.publish(f'{INFRA}/features', message(0, ego.now_ns, 2))
    ego.dropped(f'{INFRA}/features', 'internal_error')
    assert ego.frame().mode == 'none'
