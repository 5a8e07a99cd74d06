"""The layout for Lichtblick shows topics that exist, in panels that take them."""

import json

import pytest
from support.launch_files import ROOT, install
from test_rviz import node_topics

import cooptrack_msgs.msg
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.types import EGO
from cooptrack_ros.replay.collector import recorded_topics

LAYOUT = ROOT / 'config/lichtblick/cooptrack.json'
NUMBERS = ('double', 'float', 'uint32', 'boolean')
"""Types of fields that can be plotted."""
TITLES = {'lichtblickPanelTitle', 'foxglovePanelTitle'}
"""What the two programs call the title of a panel."""
CAMERA = {'distance', 'perspective', 'phi', 'target', 'targetOffset', 'targetOrientation', 'thetaOffset', 'fovy',
          'near', 'far'}
RENDERER = {'cameraState', 'followTf', 'followMode', 'scene', 'publish', 'transforms', 'topics', 'layers', 'imageMode'}
PLOT = {'paths', 'showLegend', 'legendDisplay', 'showPlotValuesInLegend', 'showXAxisLabels', 'showYAxisLabels',
        'isSynced', 'xAxisVal', 'sidebarDimension'}
SUMMARY = {'minLevel', 'pinnedIds', 'topicToRender', 'hardwareIdFilter', 'sortByLevel', 'secondsUntilStale'}
"""Fields of the types CameraState, RendererConfig, PlotConfig (all that must be there) and DiagnosticSummaryConfig in
the sources of Lichtblick."""


@pytest.fixture(scope='module')
def panels():
    return json.loads(LAYOUT.read_text(encoding='utf-8'))['configById']


@pytest.fixture(scope='module')
def recorded(scenes):
    """Return topic -> message type of the recording of a demonstration: inputs, and what the nodes published."""
    bag = scenes.bag(scenes.scene(20001, 0.5, (320, 180), lidar=True))
    inputs = {t.name: t.kind.rpartition('/')[2] for t in describe_bag(bag).topics}
    return inputs | {topic: kind.__name__ for topic, kind in recorded_topics(['rsu_1'], True).items()}


def of_kind(panels, kind):
    return [config for name, config in panels.items() if name.startswith(f'{kind}!')]


def test_every_panel_has_a_place_and_a_configuration(panels):
    def places(node):
        return [node] if isinstance(node, str) else [*places(node['first']), *places(node['second'])]
    content = json.loads(LAYOUT.read_text(encoding='utf-8'))
    assert sorted(places(content['layout'])) == sorted(panels)
    assert {name.partition('!')[0] for name in panels} == {'3D', 'Image', 'Plot', 'DiagnosticSummary'}


def test_panels_have_the_fields_that_the_program_reads(panels):
    content = json.loads(LAYOUT.read_text(encoding='utf-8'))
    assert content.keys() == {'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout'}
    for panel in of_kind(panels, '3D') + of_kind(panels, 'Image'):
        assert panel.keys() <= RENDERER and panel['cameraState'].keys() == CAMERA
        assert panel['followMode'] in ('follow-pose', 'follow-position', 'follow-none')
    for panel in of_kind(panels, 'Plot'):
        assert panel.keys() == PLOT | TITLES and len({panel[title] for title in TITLES}) == 1
        assert panel['legendDisplay'] in ('floating', 'top', 'left', 'none') and panel['xAxisVal'] == 'timestamp'
        for path in panel['paths']:
            assert path.keys() == {'value', 'enabled', 'timestampMethod', 'label'}
            assert path['timestampMethod'] in ('receiveTime', 'headerStamp')
    for panel in of_kind(panels, 'DiagnosticSummary'):
        assert panel.keys() <= SUMMARY and panel['minLevel'] in range(4)


def test_every_panel_takes_the_messages_of_its_topics(panels, recorded):
    shown = [(topic, 'MarkerArray') for panel in of_kind(panels, '3D') for topic in panel['topics']]
    shown += [(panel['imageMode']['imageTopic'], 'CompressedImage') for panel in of_kind(panels, 'Image')]
    shown += [(panel['topicToRender'], 'DiagnosticArray') for panel in of_kind(panels, 'DiagnosticSummary')]
    assert len(shown) == 6
    for topic, kind in shown:
        assert recorded.get(topic) == kind, topic


def test_every_curve_is_a_number_of_a_message(panels, recorded):
    paths = [path['value'] for panel in of_kind(panels, 'Plot') for path in panel['paths']]
    assert len(paths) == 4
    for path in paths:
        topic, _, name = path.partition('.')
        fields = getattr(cooptrack_msgs.msg, recorded[topic]).get_fields_and_field_types()
        assert fields[name] in NUMBERS, path


def test_what_nodes_publish_live_is_there_too(panels, tmp_path):
    topics = node_topics(install(tmp_path / 'prefix'))
    for panel in of_kind(panels, '3D'):
        assert {t for t in panel['topics'] if t.endswith('/output/markers')} <= topics.keys()


def test_the_view_follows_the_vehicle(panels):
    panel, = of_kind(panels, '3D')
    assert (panel['followTf'], panel['followMode']) == (EGO.body_frame, 'follow-pose')
    assert panel['layers']['grid']['frameId'] == EGO.body_frame
