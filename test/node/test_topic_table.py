"""The table of all topics in docs/nodes.md says what the nodes really publish and listen to."""

import re
from pathlib import Path

import pytest
from support.ros_world import FakePackage

from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode

PAGE = Path(__file__).parents[2] / 'docs/nodes.md'
OF_EVERY_NODE = ('/clock', '/rosout', '/parameter_events', '~/transition_event')
INFO = {'camera__source': 'camera_info', 'image__rectified': True, 'lidar_frame': 'lidar'}
BOTH = ({}, {'image__transport': 'raw', 'occupancy__enabled': True},
        {'cameras': 'front', 'lidar__enabled': True}, *({'cameras': 'front', 'image__transport': transport}
                                                        for transport in ('raw', 'ffmpeg', 'foxglove')),
        {'image__transport': 'ffmpeg'}, {'image__transport': 'foxglove'}, INFO)
SETTINGS = {'roadside': BOTH, 'ego': (*BOTH[:-1], INFO | {'base_frame': 'base'}, {'pose__source': 'pose'},
                                      {'pose__source': 'tf'}, {'fusion__pairs': True},
                                      {'infra_units': 'rsu_1:tracked_objects'})}
"""Parameters of starts that together listen to everything."""


def documented(side):
    """Return {(direction, topic): (type, quality of service)} of the table."""
    rows = re.findall(r'^\| `([^`]+)` \| `([^`]+)` \| ([^|]+) \| (\w*) ?\| (\w*) ?\|$',
                      PAGE.read_text(encoding='utf-8'), re.MULTILINE)
    column = {'roadside': 3, 'ego': 4}[side]
    return {(row[column], row[0]): (row[1], row[2]) for row in rows if row[column]}


def start(world, side, number=0, **parameters):
    """Start a node; those with different numbers have different names."""
    return world.start(EgoNode if side == 'ego' else RoadsideNode, f'world_{number}', FakePackage(), **parameters)


def general(node, topic):
    """Return the name of a topic as the documents write it."""
    name = topic.replace(f'{node.get_fully_qualified_name()}/', '~/')
    return name.replace('/infra/rsu_1/', '/infra/<unit>/').replace('/input/front/', '/input/<name>/')


def endpoints(world, node):
    """Return {(direction, topic): (type, reliability, durability)} of what a node has in the ROS graph."""
    name, namespace = node.get_name(), node.get_namespace()
    found = {}
    for direction, list_of, infos in (
            ('in', world.probe.get_subscriber_names_and_types_by_node, world.probe.get_subscriptions_info_by_topic),
            ('out', world.probe.get_publisher_names_and_types_by_node, world.probe.get_publishers_info_by_topic)):
        for topic, _ in list_of(name, namespace):
            for info in infos(topic):
                if (info.node_name, info.node_namespace) == (name, namespace):
                    found[direction, general(node, topic)] = (
                        info.topic_type.replace('/msg/', '/'), info.qos_profile.reliability.name,
                        info.qos_profile.durability.name)
    return {key: value for key, value in found.items() if key[1] not in OF_EVERY_NODE}


@pytest.mark.parametrize('side', ['roadside', 'ego'])
def test_every_topic_stands_in_the_table_with_type_and_quality_of_service(world, side):
    nodes = [start(world, side, number, **parameters) for number, parameters in enumerate(SETTINGS[side])]
    table, seen = documented(side), {}

    def look():
        for node in nodes:
            seen.update(endpoints(world, node))
        return seen
    world.until(lambda: table.keys() <= look().keys(), 'the endpoints of the nodes')
    for _ in range(10):
        # What is not in the table might show up a little later.
        world.executor.spin_once(timeout_sec=0.05)
    assert sorted(look()) == sorted(table)
    for key, (kind, reliability, durability) in seen.items():
        assert table[key][0] == kind, key
        assert reliability == 'RELIABLE', key
        assert ('latched' in table[key][1]) == (durability == 'TRANSIENT_LOCAL'), key


@pytest.mark.parametrize('side', ['roadside', 'ego'])
def test_every_topic_of_a_running_node_stands_on_its_page(world, side):
    text = (PAGE.parent / f'{side}_node.md').read_text(encoding='utf-8')
    nodes = [start(world, side, number, **parameters) for number, parameters in enumerate(SETTINGS[side])]
    # What a node has itself it knows without the graph.
    topics = {general(node, end.topic_name) for node in nodes for end in (*node.subscriptions, *node.publishers)}
    topics -= {*OF_EVERY_NODE}
    assert len(topics) >= 10
    shown = {'~/input/<name>/...' if '<name>' in topic else topic for topic in topics}
    assert sorted(topic for topic in shown if f'`{topic}`' not in text) == []


def test_sensor_inputs_follow_the_parameter(world):
    node = start(world, 'ego', image__qos='sensor_data')
    table = documented('ego')
    by_parameter = {key for key, (_, qos) in table.items() if qos == '`image.qos`'}
    world.until(lambda: len(by_parameter & endpoints(world, node).keys()) == 3, 'images, CameraInfo, odometry')
    for key, (_, reliability, _) in endpoints(world, node).items():
        assert (reliability == 'BEST_EFFORT') == (key in by_parameter), key
