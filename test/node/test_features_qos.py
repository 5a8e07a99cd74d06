"""Quality of service of the features, and what a node says when two sides do not match."""

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import ReliabilityPolicy
from support.ros_world import INFRA, START_NS, EgoWorld, instances

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.nodes.health import silence_watch
from cooptrack_ros.nodes.qos import features_qos
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.features import FeatureMeta, encode_instances


def message() -> InstanceFeatureArray:
    """Return a message of the unit."""
    meta = FeatureMeta('rsu_1', 1, 0, 'fake-model', START_NS, 'infra/rsu_1/lidar', 'map')
    return encode_instances(instances(1), meta)


def test_a_best_effort_unit_is_named_with_the_parameter_that_takes_it(world, monkeypatch):
    monkeypatch.setattr(silence_watch, 'SILENT_S', 0.5)
    ego = EgoWorld(world)
    unit = world.probe.create_publisher(InstanceFeatureArray, f'{INFRA}/features', features_qos('best_effort', 1))

    def said() -> bool:
        unit.publish(message())
        return any('set features.reliability to best_effort, or let /probe publish reliable' in s.message
                   for a in ego.diagnostics for s in a.status if s.level == DiagnosticStatus.ERROR)
    world.until(said, 'the explanation')
    assert ego.unit_events() == 0


def test_a_best_effort_receiver_takes_both_kinds(world):
    ego = EgoWorld(world, features__reliability='best_effort')
    for reliability in ('best_effort', 'reliable'):
        unit = world.probe.create_publisher(InstanceFeatureArray, f'{INFRA}/features', features_qos(reliability, 1))
        world.until(lambda unit=unit: unit.get_subscription_count() > 0, 'the vehicle')
        before = ego.unit_events()

        def came(unit=unit, before=before) -> bool:
            unit.publish(message())
            return ego.unit_events() > before
        world.until(came, f'a message that was sent {reliability}')
        world.probe.destroy_publisher(unit)


@pytest.mark.parametrize(('reliability', 'policy'), [
    ('reliable', ReliabilityPolicy.RELIABLE), ('best_effort', ReliabilityPolicy.BEST_EFFORT)])
def test_a_unit_offers_what_its_parameters_say(world, reliability, policy):
    node = world.start(RoadsideNode, '/infra/rsu_1', open_model('random:mini'), autostart=False,
                       features__reliability=reliability, features__depth=17)
    offered = next(p for p in node.publishers if p.topic_name == f'{INFRA}/features').qos_profile
    assert (offered.reliability, offered.depth) == (policy, 17)
