"""An argument of a launch file sets a parameter only where it was given; otherwise the parameter file holds."""

import pytest
import yaml
from launch_runner import parse_launch
from support.launch_files import included, install, plan, taken

FILES = {'ego': ['params'], 'roadside': ['params'], 'single_process': ['ego_params', 'roadside_params']}
IN_FILE = {
    'ego': {'weights': 'file_model', 'infra_units': 'a,b', 'fusion.mode': 'late', 'lockstep': True,
            'occupancy.enabled': True, 'cameras': 'x,y', 'cameras.topics': '/file/{name}', 'use_sim_time': True},
    'roadside': {'weights': 'file_model', 'unit_id': 'a', 'lockstep': True, 'occupancy.enabled': True, 'cameras': 'x,y',
                 'cameras.topics': '/file/{name}', 'use_sim_time': True}}
GIVEN = {
    'ego': {'weights': ('weights', 'other', 'other'), 'infra_units': ('infra_units', '7', '7'),
            'mode': ('fusion.mode', 'none', 'none'), 'lockstep': ('lockstep', 'false', False),
            'occupancy': ('occupancy.enabled', 'false', False), 'cameras': ('cameras', "it's,front", "it's,front"),
            'camera_topics': ('cameras.topics', '{name}/x', '{name}/x'),
            'use_sim_time': ('use_sim_time', 'false', False)},
    'roadside': {'weights': ('weights', 'other', 'other'), 'unit': ('unit_id', 'b7', 'b7'),
                 'lockstep': ('lockstep', 'false', False), 'occupancy': ('occupancy.enabled', 'false', False),
                 'cameras': ('cameras', '7', '7'),
                 'camera_topics': ('cameras.topics', '/x/{name}', '/x/{name}'),
                 'use_sim_time': ('use_sim_time', 'false', False)}}


@pytest.fixture
def prefix(tmp_path):
    """Return an install prefix with our launch files."""
    return install(tmp_path / 'prefix')


def write(path, parameters, section='/**'):
    path.write_text(yaml.safe_dump({section: {'ros__parameters': parameters}}))
    return str(path)


@pytest.fixture(params=['/**', 'by name'])
def files(tmp_path, request):
    """Return parameter files of both sides, for all nodes or for this one."""
    names = {'ego': '/ego/ego_node', 'roadside': '/**/roadside_node'}
    return {side: write(tmp_path / f'{side}.yaml', parameters,
                        request.param if request.param == '/**' else names[side])
            for side, parameters in IN_FILE.items()}


@pytest.mark.parametrize('side', IN_FILE)
def test_without_arguments_the_parameter_file_holds(prefix, files, side):
    node, = plan(prefix, side, params=files[side]).values()
    assert taken(node) == [IN_FILE[side]]


@pytest.mark.parametrize(('side', 'argument'), [(side, name) for side, names in GIVEN.items() for name in names])
def test_an_argument_that_is_given_wins_over_the_file_alone(prefix, files, side, argument):
    parameter, text, value = GIVEN[side][argument]
    node, = plan(prefix, side, params=files[side], **{argument: text}).values()
    assert taken(node) == [IN_FILE[side] | {parameter: value}]


def test_in_one_process_each_node_has_its_own_file(prefix, files):
    arguments = {f'{side}_params': path for side, path in files.items()}
    node, = plan(prefix, 'single_process', **arguments).values()
    assert taken(node) == [IN_FILE['ego'], IN_FILE['roadside']]


def test_in_one_process_what_is_given_reaches_both_nodes(prefix, files):
    arguments = {f'{side}_params': path for side, path in files.items()}
    node, = plan(prefix, 'single_process', **arguments, weights='other', lockstep='false', use_sim_time='false',
                 occupancy='false', mode='none', ego_camera_topics='/e/{name}',
                 roadside_camera_topics='/r/{name}').values()
    both = {'weights': 'other', 'lockstep': False, 'occupancy.enabled': False, 'use_sim_time': False}
    assert taken(node) == [IN_FILE['ego'] | both | {'fusion.mode': 'none', 'cameras.topics': '/e/{name}'},
                           IN_FILE['roadside'] | both | {'cameras.topics': '/r/{name}'}]


@pytest.mark.parametrize(('arguments', 'listens_to', 'is_called'), [
    ({}, 'a,b', 'a'), ({'unit': 'c'}, 'c', 'c'), ({'infra_units': 'd,e'}, 'd,e', 'a'),
    ({'unit': 'c', 'infra_units': 'd,e'}, 'd,e', 'c')])
def test_in_one_process_the_vehicle_listens_to_the_given_unit(prefix, files, arguments, listens_to, is_called):
    paths = {f'{side}_params': path for side, path in files.items()}
    node, = plan(prefix, 'single_process', **paths, **arguments).values()
    ego, roadside = taken(node)
    assert (ego['infra_units'], roadside['unit_id']) == (listens_to, is_called)


def test_two_units_without_groups_each_have_their_own_file(prefix, tmp_path):
    paths = {unit: write(tmp_path / f'{unit}.yaml', {'weights': f'{unit}_model', 'cameras': unit})
             for unit in ('east', 'west')}
    include = """<include file="$(var launch_dir)/roadside.launch.xml">
        <arg name="unit" value="{0}"/><arg name="params" value="{1}"/></include>"""
    nodes = included(prefix, '<launch><arg name="launch_dir"/>'
                     + ''.join(include.format(*item) for item in paths.items()) + '</launch>')
    assert [taken(node) for node in nodes] == [[{
        'weights': f'{unit}_model', 'cameras': unit, 'unit_id': unit,
        'cameras.topics': f'/infra/{unit}/camera/{{name}}'}] for unit in paths]


def test_what_surrounds_an_include_does_not_learn_of_its_arguments(prefix):
    """Launch keeps one list of the parameters of all nodes, whatever the groups say: nothing of ours is put there."""
    include = """<group><include file="$(var launch_dir)/roadside.launch.xml"><arg name="unit" value="{0}"/>{1}
        </include></group>"""
    clock = '<arg name="use_sim_time" value="true"/>'
    nodes = included(prefix, '<launch><arg name="launch_dir"/><set_parameter name="map_frame" value="odom"/>'
                     + include.format('east', clock) + include.format('west', '') + '</launch>')
    assert ['use_sim_time' in taken(node)[0] for node in nodes] == [True, False]
    assert not any('set_parameter' in file.read_text() for file in (prefix / 'share/cooptrack_ros/launch').iterdir())


def test_a_link_emulator_stands_before_the_unit_that_the_argument_names_whatever_the_file_says(prefix, files):
    nodes = plan(prefix, 'roadside', params=files['roadside'], link_emulator='true')
    assert taken(nodes['roadside_node'])[0]['unit_id'] == 'rsu_1'


def test_every_argument_says_in_one_line_what_holds_without_it(prefix):
    for file in (prefix / 'share/cooptrack_ros/launch').glob('*.launch.xml'):
        arguments = parse_launch(file, {}, {'AMENT_PREFIX_PATH': str(prefix)}).arguments
        for name, (description, default) in arguments.items():
            assert description and '  ' not in description, (file, name)
            assert default or name == 'bag' or 'empty: ' in description, (file, name)
