"""The security policy lets the nodes do what they do, and a unit nothing else."""

import re
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from support.ros_world import FakePackage
from test_topic_table import SETTINGS

from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode

ROOT = Path(__file__).parents[2]
POLICY = ROOT / 'security/policy.xml'
ELEMENTS = {
    'policy': ({'version'}, {'enclaves'}), 'enclaves': (set(), {'enclave'}), 'enclave': ({'path'}, {'profiles'}),
    'profiles': ({'type'}, {'profile', 'metadata'}), 'profile': ({'ns', 'node'}, {'topics', 'services', 'actions'}),
    'topics': ({'publish', 'subscribe'}, {'topic'}), 'services': ({'request', 'reply'}, {'service'}),
    'topic': (set(), set()), 'service': (set(), set())}
"""Attributes and children that the schema of SROS 2 policies (version 0.2.0) knows, as far as they occur here."""
REQUIRED = {'policy': {'version'}, 'enclave': {'path'}, 'profile': {'ns', 'node'}}
NODES = {'/cooptrack/ego': (EgoNode, '/ego', 'ego', 'ego.launch.xml'),
         '/cooptrack/infra/rsu_1': (RoadsideNode, '/infra/rsu_1', 'roadside', 'roadside.launch.xml')}


def profile(path):
    """Return the only profile of an enclave."""
    found = [e for e in ElementTree.parse(POLICY).iter('enclave') if e.get('path') == path]
    assert len(found) == 1
    return found[0].find('profiles/profile')


def allowed(path, right):
    """Return the patterns of names that an enclave has a right to."""
    node = profile(path)
    own = f"{node.get('ns')}/{node.get('node')}"
    return [name.text.replace('~', own, 1) for group in node if group.get(right) == 'ALLOW' for name in group]


def may(path, right, name):
    """Tell whether an enclave has a right to a name."""
    return any(fnmatchcase(name, pattern) for pattern in allowed(path, right))


def remapped(launch, node, topic):
    """Return a topic as the launch file names it."""
    text = (ROOT / 'launch' / launch).read_text(encoding='utf-8').replace('$(var place)', 'rsu_1')
    rules = dict(re.findall(r'<remap from="([^"$]+)" to="([^"$]+)"/>', text))
    short = topic.replace(node.get_fully_qualified_name(), '~', 1)
    return rules.get(short, topic)


def used(world, node):
    """Return {(right, name)} of all endpoints that a node has."""
    name, namespace = node.get_name(), node.get_namespace()
    rights = {'subscribe': world.probe.get_subscriber_names_and_types_by_node,
              'publish': world.probe.get_publisher_names_and_types_by_node,
              'reply': world.probe.get_service_names_and_types_by_node}
    return {(right, topic) for right, list_of in rights.items() for topic, _ in list_of(name, namespace)}


def test_the_policy_is_built_as_its_schema_says():
    root = ElementTree.parse(POLICY).getroot()
    assert (root.tag, root.get('version')) == ('policy', '0.2.0')
    for element in root.iter():
        attributes, children = ELEMENTS[element.tag]
        assert REQUIRED.get(element.tag, set()) <= set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
        assert bool(len(element)) == bool(children)
        if element.tag in ('topics', 'services'):
            assert set(element.attrib.values()) <= {'ALLOW', 'DENY'}


@pytest.mark.parametrize('path', sorted(NODES))
def test_every_endpoint_of_the_nodes_is_allowed(world, path):
    kind, namespace, side, launch = NODES[path]
    assert profile(path).get('ns') == namespace
    seen = set()
    for number, parameters in enumerate(SETTINGS[side]):
        other = namespace if number == 0 else f'{namespace}/n{number}'
        node = world.start(kind, other, FakePackage(), use_sim_time=True, **parameters)

        def complete(node=node):
            # The services of a life-cycle node are made last.
            return any(topic.endswith('get_transition_graph') for _, topic in used(world, node))
        world.until(complete, 'the endpoints of the node')
        found = {(right, remapped(launch, node, topic).replace(other, namespace, 1)) for right, topic
                 in used(world, node)}
        assert len(found) > 15
        seen |= found
    assert sorted(item for item in seen if not may(path, *item)) == []


@pytest.mark.parametrize(('right', 'name'), [
    ('publish', '/infra/rsu_2/features'), ('publish', '/infra/rsu_1/pair'), ('publish', '/ego/odometry'),
    ('publish', '/tf'), ('publish', '/clock'), ('publish', '/ego/ego_node/output/tracks'),
    ('subscribe', '/ego/camera/image/compressed'), ('request', '/ego/ego_node/set_parameters')])
def test_a_unit_may_do_nothing_in_the_name_of_others(right, name):
    assert not may('/cooptrack/infra/rsu_1', right, name)
