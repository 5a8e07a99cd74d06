"""The RViz files name displays that RViz has, topics that exist, and namespaces that have markers."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from std_msgs.msg import Header
from support.launch_files import ROOT, given, install, plan
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from cooptrack_ros.common.config import R50
from cooptrack_ros.common.types import Boxes, Provenance
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.types import EGO
from cooptrack_ros.nodes.settings import CommonSettings
from cooptrack_ros.wire.markers import (
    link_markers,
    provenance_markers,
    received_markers,
    track_markers,
    trail_markers,
    vehicle_marker,
)

FILES = sorted((ROOT / 'rviz').glob('*.rviz'))
SHOWS = {'Grid': set(), 'TF': set(), 'MarkerArray': {'MarkerArray'}, 'Image': {'Image', 'CompressedImage'},
         'PointCloud2': {'PointCloud2'}}
"""Displays of rviz_default_plugins and the messages that they take."""
PANELS = {'rviz_common/Displays', 'rviz_common/Views', 'rviz_common/Time'}
TOOLS = {f'rviz_default_plugins/{name}' for name in ('MoveCamera', 'Select', 'FocusCamera', 'Measure')}
FOLLOWING = 'rviz_default_plugins/ThirdPersonFollower'
"""The view that turns with its target frame; Orbit and TopDownOrtho follow its position alone."""


def content(file):
    return yaml.safe_load(file.read_text(encoding='utf-8'))['Visualization Manager']


def displays(kind=None):
    """Return (file name, display) of all displays, or of those of one kind."""
    found = [(file.name, d) for file in FILES for d in content(file)['Displays']]
    return [(name, d) for name, d in found if kind in (None, d['Class'].partition('/')[2])]


def node_topics(prefix):
    """Return topic -> message type of everything that the nodes publish under the names that the launch files give."""
    sources = {path.stem: path.read_text(encoding='utf-8') for path in (ROOT / 'src/cooptrack_ros/nodes').rglob('*.py')}
    own = {'ego_node', 'roadside_node'}
    topics = {}
    for node in plan(prefix, 'demo').values():
        names = dict(rule.split(':=') for rule in given(node.command, '-r'))
        for stem, source in sources.items():
            if stem == Path(node.command[0]).name or stem not in own:
                for kind, topic in re.findall(r"create_publisher\(\s*(\w+), '~/([\w/]+)'", source):
                    topics[f"{names['__ns']}/{names['__node']}/{topic}"] = kind
    return topics


@pytest.fixture(scope='module')
def published(scenes, tmp_path_factory):
    """Return topic -> message type of nodes and converted bags."""
    bag = scenes.bag(scenes.scene(20001, 0.5, (320, 180), lidar=True))
    bag = {t.name: t.kind.rpartition('/')[2] for t in describe_bag(bag).topics}
    return bag | node_topics(install(tmp_path_factory.mktemp('prefix')))


def test_there_are_the_files_that_the_documents_name():
    assert [file.name for file in FILES] == ['cooptrack.rviz', 'debug.rviz']


@pytest.mark.parametrize('file', FILES, ids=lambda f: f.name)
def test_classes_are_those_of_rviz(file):
    manager = content(file)
    assert {d['Class'] for d in manager['Displays']} <= {f'rviz_default_plugins/{name}' for name in SHOWS}
    assert {t['Class'] for t in manager['Tools']} <= TOOLS
    assert {p['Class'] for p in yaml.safe_load(file.read_text(encoding='utf-8'))['Panels']} <= PANELS


def test_every_display_takes_the_messages_of_its_topic(published):
    for file, display in displays():
        takes = SHOWS[display['Class'].partition('/')[2]]
        if takes:
            topic = display['Topic']['Value']
            assert published.get(topic) in takes, f'{file}: {display["Name"]} shows {topic}'


def test_the_fixed_frame_is_the_map_of_the_nodes():
    assert {content(file)['Global Options']['Fixed Frame'] for file in FILES} == {CommonSettings.map_frame}


@pytest.mark.parametrize('file', FILES, ids=lambda f: f.name)
def test_the_view_turns_with_the_vehicle_and_the_grid_lies_on_the_road(file):
    manager = content(file)
    view = manager['Views']['Current']
    assert (view['Class'], view['Target Frame']) == (FOLLOWING, EGO.body_frame)
    grid, = (d for d in manager['Displays'] if d['Class'].endswith('/Grid'))
    assert grid['Reference Frame'] == EGO.body_frame


def test_frames_are_those_of_the_lidars_alone_and_can_be_read(scenes):
    bag = scenes.bag(scenes.scene(20001, 0.5, (320, 180), lidar=True))
    with Reader(bag) as reader:
        frames = {t.child_frame_id for at, _, data in reader.messages() if at.topic in ('/tf', '/tf_static')
                  for t in deserialize_message(data, TFMessage).transforms}
    for _, display in displays('TF'):
        shown = {frame for frame in frames if re.search(display['Filter (whitelist)'], frame)}
        assert shown == {'ego/lidar', 'infra/rsu_1/lidar'}
        assert display['Marker Scale'] == 10


def test_markers_of_bag_and_nodes_vanish_alike_when_nobody_renews_them(scenes):
    """With no lifetime those of a bag would stay for ever beside tracks that vanish."""
    bag = scenes.bag(scenes.scene(20001, 0.5, (320, 180), lidar=True))
    with Reader(bag) as reader:
        found = {at.topic: [m for m in deserialize_message(data, MarkerArray).markers if m.action == Marker.ADD]
                 for at, _, data in reader.messages() if at.topic.endswith('/markers')}
    assert set(found) == {'/ego/ground_truth/markers', '/infra/rsu_1/ground_truth/markers'}
    assert all(found.values())
    lifetimes = {m.lifetime.sec + m.lifetime.nanosec / 1e9 for markers in found.values() for m in markers}
    assert lifetimes == {CommonSettings.markers__lifetime} == {0.5}


def test_sensors_of_either_reliability_are_received_and_markers_never_lost():
    for file, display in displays():
        if 'Topic' in display:
            expected = 'Reliable' if display['Class'].endswith('/MarkerArray') else 'Best Effort'
            assert display['Topic']['Reliability Policy'] == expected, f'{file}: {display["Name"]}'


@pytest.mark.parametrize('file', FILES, ids=lambda f: f.name)
def test_the_state_of_the_window_names_every_dock(file):
    """Docks that it does not name are stacked at the left and hide the 3D view."""
    everything = yaml.safe_load(file.read_text(encoding='utf-8'))
    state = bytes.fromhex(everything['Window Geometry']['QMainWindow State'])
    docks = {p['Name'] for p in everything['Panels']}
    docks |= {d['Name'] for d in content(file)['Displays'] if d['Class'].endswith('/Image')}
    for dock in docks:
        name = dock.encode('utf-16-be')
        assert state.count(len(name).to_bytes(4, 'big') + name) == 1, dock
        assert everything['Window Geometry'][dock] == {'collapsed': False}


def test_the_package_brings_what_the_files_need():
    needed = {e.text for e in ElementTree.parse(ROOT / 'package.xml').getroot().iter('exec_depend')}
    assert {'rviz2', 'rviz_default_plugins', 'compressed_image_transport'} <= needed


def test_rviz_takes_the_time_of_the_nodes():
    root = ElementTree.parse(ROOT / 'launch' / 'demo.launch.xml').getroot()
    rviz, = (node for node in root.iter('node') if node.get('pkg') == 'rviz2')
    assert {p.get('name'): p.get('value') for p in rviz.iter('param')} == {'use_sim_time': '$(var use_sim_time)'}


def test_every_command_that_shows_a_recording_takes_its_time():
    for page in (ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')):
        for line in page.read_text(encoding='utf-8').splitlines():
            if line.startswith('rviz2 -d'):
                assert '--ros-args -p use_sim_time:=true' in line, page.name


def test_maps_of_millions_of_metres_are_told_of_with_the_way_out():
    text = ' '.join((ROOT / 'docs/rviz.md').read_text(encoding='utf-8').split())
    assert 'UTM' in text and f'set Fixed Frame to `{EGO.body_frame}`' in text


def test_every_namespace_has_markers():
    one = Boxes(np.zeros((1, 3)), np.ones((1, 3)), np.zeros(1), np.ones((1, 2)), np.zeros(1, np.int64), np.ones(1),
                np.ones(1, np.int64))
    header, way, names = Header(), np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]), R50.class_names
    truth = {m.ns for m in track_markers(one, header, names)}
    unit = truth | {m.ns for m in provenance_markers(one, np.array([Provenance.FUSED]), header)}
    unit |= {m.ns for m in trail_markers([(1, way)], header, [(1.0, 1.0, 1.0)])}
    ego = unit | {m.ns for m in [*received_markers(one, ['u'], header, names),
                             *link_markers(one, one, [(0, 0)], header), vehicle_marker(header)]}
    for file, display in displays('MarkerArray'):
        topic = display['Topic']['Value']
        expected = truth if 'ground_truth' in topic else ego if topic.startswith('/ego/') else unit
        assert set(display['Namespaces']) == expected, f'{file}: {display["Name"]}'
