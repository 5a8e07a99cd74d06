"""Curves, analysis and the HTML report of hand-made results."""

import json
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from cooptrack_ros.cli import main as cli
from cooptrack_ros.common.geometry import quaternion_from_rotation, rotation_z
from cooptrack_ros.eval.exchange import FORMAT
from cooptrack_ros.viz.html_data import player_data
from cooptrack_ros.viz.html_player import SCRIPT
from cooptrack_ros.viz.html_report import ReportedResult, write_report

NORTH = np.pi / 2
STUB = r"""
const labels = [], elements = {};
const pen = new Proxy({fillText: (...call) => labels.push(call)}, {get: (o, k) => o[k] || (() => 0), set: () => true});
const element = id => elements[id] = elements[id] || {style: {}, value: '0', checked: true, on: {}, clientWidth: 400,
  clientHeight: 400, addEventListener(name, act) { this.on[name] = act; }, appendChild() {}, getContext: () => pen};
globalThis.window = {addEventListener() {}};
globalThis.document = {getElementById: element, createElement: () => ({}), addEventListener() {}};
element('data').textContent = require('fs').readFileSync(0, 'utf8');
"""
"""Just enough of a browser; texts that are drawn are kept with their places."""


def row(x, y, yaw=NORTH, **more):
    """Return a car of the exchange format."""
    return {'translation': [x, y, 0.0], 'size': [2.0, 4.0, 1.5], 'name': 'car', 'velocity': [0.0, 5.0],
            'rotation': quaternion_from_rotation(rotation_z(yaw)).tolist(), **more}


def result(name='mini', frames=3):
    """Return a result: the ego vehicle drives north; one track 20 m ahead, one 10 m to the left."""
    samples, truth, predictions = [], {}, {}
    for i in range(frames):
        token, y = f'00{i}', 500.0 + i
        samples.append({'token': token, 'timestamp_us': 10**15 + 100_000 * i, 'ego_translation': [1000.0, y, 0.0],
                        'ego_yaw': NORTH})
        truth[token] = [row(1000, y + 20, track_id='7', seen_by='both'), row(990, y, track_id='8', seen_by='roadside')]
        predictions[token] = [row(1000, y + 20.5, tracking_id='1', score=0.9),
                              row(990, y, tracking_id='left', score=0.456)]
    return {'format': FORMAT, 'name': name, 'frame_rate_hz': 10, 'classes': ['car', 'bicycle', 'pedestrian'],
            'class_range': {'car': 50.0, 'bicycle': 40.0, 'pedestrian': 40.0},
            'scenes': [{'scene': 'a</script>', 'samples': samples}], 'ground_truth': truth, 'predictions': predictions,
            'links': {'001': [{'tracking_id': '1', 'translation': [1001.0, 522.0, 0.0], 'affinity': 0.876}]},
            'provenance': {'001': [{'tracking_id': '1', 'provenance': 'fused'}]}}


class Page(HTMLParser):
    """Collects what a page refers to, and its scripts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.scripts, self.cells = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open.append((tag, dict(attrs)))
        self.references += [value for name, value in attrs if name in ('src', 'href', 'action', 'srcset')]

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ('', {})
        if tag == 'script':
            self.scripts.append((attributes.get('id'), data))
        elif tag in ('td', 'th'):
            self.cells.append(data)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp('results')
    for name in ('cooperative', 'none'):
        content = result(name)
        if name == 'cooperative':
            content['agents'] = {side: content['predictions'] for side in ('ego', 'roadside')}
        (folder / f'{name}.json').write_text(json.dumps(content))
    files = [str(folder / 'cooperative.json'), str(folder / 'none.json')]
    assert cli.main(['render', *files, '-o', str(folder / 'o')]) == 0
    return folder / 'o'


def test_a_result_alone_gives_curves_analysis_and_report(drawn):
    assert {p.name for p in drawn.iterdir()} == {
        'curves.png', 'analysis.png', 'analysis_2_none.png', 'analysis.json', 'errors.png', 'report.html'}
    for picture in drawn.glob('*.png'):
        assert cv2.imread(str(picture)).std() > 20
    analysis = json.loads((drawn / 'analysis.json').read_text())
    assert analysis['cooperative']['by_viewer']['roadside']['recall'] == 1
    assert analysis['cooperative']['errors']['all']['errors'] == 0 and 'errors' not in analysis['none']


def test_the_report_is_one_page_that_needs_no_network(drawn):
    text = (drawn / 'report.html').read_text()
    page = Page(text)
    assert len(page.references) == 3 and all(r.startswith('data:image/png;base64,') for r in page.references)
    assert '://' not in text
    data = next(json.loads(content) for name, content in page.scripts if name == 'data')
    assert data['results'] == ['cooperative', 'none'] and data['scenes'][0]['name'] == 'a</script>'
    assert {'mAP', 'AMOTA', 'IDS', 'HOTA', 'IDF1', 'cooperative', 'none, bicycle', 'class absent'} <= set(page.cells)
    assert {'along', 'across', 'turning', 'mod pi', 'AVE moving', 'speed ratio'} <= set(page.cells)


def test_pictures_of_voxels_are_in_the_report_where_there_are_some(drawn, tmp_path):
    motion = {'along': '1 / 2'}
    reported = ReportedResult('mini', result(), {'mAP': 0.5}, {'car': {'mAP': 0.5}}, motion, drawn / 'analysis.png')
    texts = []
    for pictures in ((), (drawn / 'errors.png', drawn / 'curves.png')):
        write_report(tmp_path / 'report.html', [reported], drawn / 'curves.png', voxel_pictures=pictures)
        texts.append((tmp_path / 'report.html').read_text())
    assert 'Voxels' not in texts[0] and '<h2>Voxels</h2>' in texts[1]
    assert [len(Page(text).references) for text in texts] == [2, 4] and '://' not in texts[1]


def test_the_player_gets_whole_centimetres_from_the_first_ego_position():
    scene = player_data({'x': result()})['scenes'][0]
    assert scene['times'] == [0, 100, 200] and scene['ego'][1] == [0, 100, 1571]
    assert scene['truth']['kinds'] == [('7', 0, 400, 200), ('8', 0, 400, 200)]
    assert scene['truth']['frames'][0] == [[0, 0, 2000, 1571], [1, -1000, 0, 1571]]
    tracks = scene['results'][0]
    assert tracks['frames'][1][0] == [0, 0, 0, 2150, 1571, 400, 200, 90, 500, 2]
    assert tracks['links'] == [[], [[0, 100, 2200, 88]], []]


def test_five_sequences_of_two_modes_stay_below_three_megabytes():
    content = result(frames=80)
    for token in content['ground_truth']:
        content['ground_truth'][token] *= 12
        content['predictions'][token] *= 8
    size = len(json.dumps(player_data({'a': content, 'b': content})['scenes'][0], separators=(',', ':')))
    assert 5 * size < 2_000_000


@pytest.mark.skipif(shutil.which('node') is None, reason='needs node')
def test_the_player_draws_forward_up_and_left_left(tmp_path):
    script = tmp_path / 'player.js'
    script.write_text(STUB + SCRIPT + """
element('slider').value = 1;
element('slider').on.input();
element('view').on.pointermove({offsetX: 200, offsetY: 200 - 20 * 400 / 110});
console.log(JSON.stringify({labels, tip: elements.tip.textContent, clock: elements.clock.textContent}));""")
    answer = subprocess.run(['node', str(script)], input=json.dumps(player_data({'x': result()})), text=True,
                            capture_output=True, timeout=60, check=True)
    drawn = json.loads(answer.stdout)
    # Frame 0, then frame 1 in which an association was drawn.
    assert [words for words, _, _ in drawn['labels']].count('0.88') == 1
    place = {words: (x, y) for words, x, y in drawn['labels']}
    assert abs(place['1'][0] - 200) < 12 and place['1'][1] < 200 - 18 * 400 / 110
    assert place['left'][0] < 200 - 7 * 400 / 110 and abs(place['left'][1] - 200) < 12
    assert drawn['tip'] == 'track 1: car, score 0.90, 5.0 m/s, from both\nground truth 7: car'
    assert drawn['clock'] == 'frame 2 of 3, 0.1 s'


def test_results_of_different_frames_are_refused_by_name(tmp_path, capsys):
    for name, frames in (('a', 3), ('b', 2)):
        (tmp_path / f'{name}.json').write_text(json.dumps(result(name, frames) | {'links': {}, 'provenance': {}}))
    assert cli.main(['render', str(tmp_path / 'a.json'), str(tmp_path / 'b.json'), '-o', str(tmp_path / 'o')]) == 2
    message = capsys.readouterr().err
    assert 'a.json' in message and 'b.json' in message and 'differ in their frames' in message
    assert not (tmp_path / 'o').exists()


def test_a_result_without_frames_is_refused(tmp_path, capsys):
    empty = result() | {'scenes': [], 'ground_truth': {}, 'predictions': {}, 'links': {}, 'provenance': {}}
    (tmp_path / 'a.json').write_text(json.dumps(empty))
    assert cli.main(['render', str(tmp_path / 'a.json'), '-o', str(tmp_path / 'o')]) == 2
    assert 'has no frames' in capsys.readouterr().err
