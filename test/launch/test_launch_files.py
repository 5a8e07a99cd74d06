"""The launch files start the right nodes, and name what exists."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from launch_runner import LaunchError
from support.launch_files import ROOT, given, included, install, plan, split_nodes, taken

from cooptrack_ros.nodes.settings import EgoSettings, LinkEmulatorSettings, RoadsideSettings, ros_name

LAUNCH = ROOT / 'launch'
PARAMETERS = {'ego_node': {ros_name(f) for f in fields(EgoSettings)} | {'use_sim_time'},
              'roadside_node': {ros_name(f) for f in fields(RoadsideSettings)} | {'use_sim_time'},
              'link_emulator': {ros_name(f) for f in fields(LinkEmulatorSettings)} | {'use_sim_time'}}
SHOWN_WITHOUT_A_NODE = {'/ego/ground_truth/markers', '/ego/camera/image/compressed',
                        '/infra/rsu_1/camera/image/compressed'}
"""Topics of the bag."""


@pytest.fixture
def prefix(tmp_path):
    """Return an install prefix with our launch files."""
    return install(tmp_path)


def test_every_launch_file_parses_and_parameters_exist(prefix):
    for file in LAUNCH.glob('*.launch.xml'):
        for node in plan(prefix, file.name.removesuffix('.launch.xml')).values():
            assert {p.partition(':=')[0] for p in given(node.command, '--given')} <= set().union(*PARAMETERS.values())
            for program, arguments, _ in split_nodes(node):
                assert {p.partition(':=')[0] for p in given(arguments, '-p')} <= PARAMETERS[program], file
                for path in given(arguments, '--params-file'):
                    section = yaml.safe_load(Path(path).read_text())['/**']['ros__parameters']
                    assert set(section) <= PARAMETERS[program]


def test_a_link_emulator_comes_between_the_unit_and_everybody_else(prefix):
    assert 'link_emulator' not in plan(prefix, 'demo')
    nodes = plan(prefix, 'demo', link_emulator='true', unit='rsu_7')
    for name in ('features', 'occupancy'):
        between, outside = f'/infra/rsu_7/{name}_before_link', f'/infra/rsu_7/{name}'
        assert f'{outside}:={between}' in given(nodes['roadside_node'].command, '-r')
        assert {f'~/input/{name}:={between}', f'~/output/{name}:={outside}'} <= set(
            given(nodes['link_emulator'].command, '-r'))


def test_the_demo_starts_both_nodes_with_the_same_model_and_large_data_transport(prefix):
    nodes = plan(prefix, 'demo', weights='random:mini', lockstep='true', unit='rsu_7')
    assert set(nodes) == {'ego_node', 'roadside_node'}
    for node in nodes.values():
        parameters, = taken(node)
        assert parameters.items() >= {'weights': 'random:mini', 'lockstep': True, 'use_sim_time': True}.items()
        assert node.environment['FASTDDS_BUILTIN_TRANSPORTS'] == 'LARGE_DATA'
    assert '__ns:=/infra/rsu_7' in given(nodes['roadside_node'].command, '-r')
    assert taken(nodes['ego_node'])[0]['infra_units'] == 'rsu_7'


def test_recorded_features_need_no_roadside_node_and_rviz_is_optional(prefix):
    assert set(plan(prefix, 'demo', roadside='false')) == {'ego_node'}
    assert set(plan(prefix, 'demo', rviz='true')) == {'ego_node', 'roadside_node', 'rviz2'}


@pytest.mark.parametrize('arguments, pace, is_required', [
    ({}, '--rate=1.0', True), ({'rate': '0.5'}, '--rate=0.5', True), ({'lockstep': 'true'}, '--lockstep', True),
    ({'rviz': 'true'}, '--rate=1.0', False)])
def test_the_end_of_the_bag_ends_the_demo_unless_rviz_shows_it(prefix, arguments, pace, is_required):
    replay = plan(prefix, 'demo', bag='some/bag', **arguments)['replay']
    assert replay.command[1:4] == ('replay', 'some/bag', pace)
    assert replay.required is is_required


def test_on_humble_everything_loads_and_the_launch_goes_on_after_the_bag(prefix):
    """Its launch refuses a file with an attribute that it does not know, whatever the conditions say."""
    assert [f.name for f in LAUNCH.glob('*.xml') if 'on_exit=' in f.read_text()] == ['player.launch.xml']
    replay = plan(prefix, 'demo', {'ROS_DISTRO': 'humble'}, bag='some/bag')['replay']
    assert replay.command[1:4] == ('replay', 'some/bag', '--rate=1.0')
    assert not replay.required


@pytest.mark.parametrize('bag', ['my bag', 'a "bag"', "driver's", "'", 'a(b).mcap', 'back\\slash\\', '$(var rate)'])
def test_a_bag_may_have_any_name(prefix, bag):
    for rviz in ('true', 'false'):
        assert plan(prefix, 'demo', bag=bag, rviz=rviz)['replay'].command[2] == bag


def test_missing_rviz_is_named_before_anything_starts(prefix):
    (prefix / 'share/ament_index/resource_index/packages/rviz2').unlink()
    with pytest.raises(LaunchError, match="package 'rviz2' is not installed"):
        plan(prefix, 'demo', rviz='true')


def test_topics_of_the_bag_are_remapped_to_private_inputs(prefix):
    nodes = plan(prefix, 'demo')
    for label, base in (('ego_node', '/ego/camera'), ('roadside_node', '/infra/rsu_1/camera')):
        remaps = given(nodes[label].command, '-r')
        assert f'~/input/image/compressed:={base}/image/compressed' in remaps
        assert f'~/input/calibration:={base}/calibration' in remaps
    assert '~/input/odometry:=/ego/odometry' in given(nodes['ego_node'].command, '-r')


def test_a_node_gets_the_parameter_file_of_its_own_side(prefix):
    nodes = plan(prefix, 'demo')
    for label, file in (('ego_node', 'ego.yaml'), ('roadside_node', 'roadside.yaml')):
        path, = given(nodes[label].command, '--params-file')
        assert Path(path).name == file


@pytest.mark.parametrize(('name', 'base'), [('ego', '/ego'), ('roadside', '/infra/rsu_1')])
def test_topics_of_several_cameras_stand_beside_those_of_one_unless_they_are_named(prefix, name, base):
    for arguments, cameras, topics in (({'cameras': 'front,rear'}, 'front,rear', base + '/camera/{name}'),
                                       ({'camera_topics': '/sensing/{name}'}, '', '/sensing/{name}')):
        parameters, = taken(plan(prefix, name, **arguments)[f'{name}_node'])
        assert (parameters['cameras'], parameters['cameras.topics']) == (cameras, topics)


def test_two_units_without_groups_listen_to_their_own_cameras(prefix):
    include = """<include file="$(var launch_dir)/roadside.launch.xml">
        <arg name="unit" value="{unit}"/><arg name="cameras" value="front"/></include>"""
    nodes = included(prefix, '<launch><arg name="launch_dir"/>'
                     + include.format(unit='east') + include.format(unit='west') + '</launch>')
    for node, unit in zip(nodes, ('east', 'west'), strict=True):
        assert taken(node)[0]['cameras.topics'] == f'/infra/{unit}/camera/{{name}}'
        others = {'east', 'west'} - {unit}
        assert not any(other in word for word in node.command for other in others)


def test_two_vehicles_with_their_units_in_one_process_each_have_their_own_topics(prefix):
    include = """<include file="$(var launch_dir)/single_process.launch.xml">
        <arg name="unit" value="{unit}"/></include>"""
    nodes = included(prefix, '<launch><arg name="launch_dir"/>'
                     + include.format(unit='east') + include.format(unit='west') + '</launch>')
    assert len(nodes) == 2
    for node, other in zip(nodes, ('west', 'east'), strict=True):
        assert not any(other in word for word in node.command)
    assert [taken(node)[0]['infra_units'] for node in nodes] == ['east', 'west']


@pytest.mark.parametrize('name', ['ego', 'roadside', 'single_process'])
def test_simulated_time_of_a_file_around_holds_unless_the_argument_is_given(prefix, name):
    parent = f"""<launch><arg name="launch_dir"/><group><set_parameter name="use_sim_time" value="true"/>
        <include file="$(var launch_dir)/{name}.launch.xml">%s</include></group></launch>"""
    for argument, expected in (('', True), ('<arg name="use_sim_time" value="false"/>', False)):
        node, = included(prefix, parent % argument)
        assert {parameters['use_sim_time'] for parameters in taken(node)} == {expected}
    alone, = plan(prefix, name).values()
    assert not any('use_sim_time' in parameters for parameters in taken(alone))


def test_what_launch_appends_reaches_both_nodes_of_one_process(prefix):
    node, = plan(prefix, 'single_process', use_sim_time='true').values()
    both = split_nodes(replace(node, command=(*node.command, '--ros-args', '-r', '/clock:=/other_clock')))
    assert len(both) == 2
    for _, arguments, parameters in both:
        assert ('use_sim_time', True) in [(p.name, p.value) for p in parameters]
        assert '/clock:=/other_clock' in arguments
        assert len([a for a in arguments if a.startswith('__ns:=')]) == 1


@pytest.mark.parametrize(('arguments', 'value'), [({}, 'false'), ({'auto': '/front/camera'}, '/front/camera')])
def test_the_vehicle_finds_its_inputs_if_it_shall(prefix, arguments, value):
    node, = plan(prefix, 'ego', **arguments).values()
    assert given(node.command, '--auto') == [value]


def test_an_unknown_argument_is_refused(prefix):
    with pytest.raises(LaunchError, match='wieghts'):
        plan(prefix, 'demo', wieghts='mini')


def test_every_topic_that_rviz_shows_is_published():
    content = yaml.safe_load((ROOT / 'rviz/cooptrack.rviz').read_text())
    topics = {d['Topic']['Value'] for d in content['Visualization Manager']['Displays'] if 'Topic' in d}
    markers = {'/ego/ego_node/output/markers', '/infra/rsu_1/roadside_node/output/markers'}
    voxels = {'/ego/ego_node/output/occupancy/points'}
    assert topics == markers | voxels | SHOWN_WITHOUT_A_NODE
