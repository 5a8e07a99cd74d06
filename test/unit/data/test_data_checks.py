"""Every rule about data finds the fault that is planted for it, and nothing is found in what is right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import meadow_data
import numpy as np
import pytest
from spd_folders import golden, write_folder

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.geometry import box_corners, project_points, rotation_z, transform_boxes
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.data import folders
from cooptrack_ros.data.checks.catalogue import RULES
from cooptrack_ros.data.checks.rule import apply, read
from cooptrack_ros.data.folders import open_dataset

ROOT = Path(__file__).parents[3]
SIZE, MATRIX = (320, 180), np.array([[300.0, 0, 160], [0, 300, 90], [0, 0, 1]])
AHEAD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
GROUND_Z = -1.8
START_US, PERIOD_US = 1_700_000_000_000_000, 100_000
PLACES = [(22, -7), (25, -3), (24, 1), (26, 5), (33, -12), (36, 9), (38, -1), (40, 4)]


def world_boxes():
    """Return eight vehicles that stand on the ground."""
    count = len(PLACES)
    return Boxes(np.array([[x, y, GROUND_Z + 0.75] for x, y in PLACES]), np.tile([2.0, 2.0, 1.5], (count, 1)),
                 np.zeros(count), np.zeros((count, 2)), np.zeros(count, np.int64), np.ones(count),
                 np.arange(1, count + 1))


def frame(root, agent, index):
    """Return a frame of the index; its image shows what the labels say."""
    x, yaw = (index, 0.0) if agent == 'car' else (62.0, np.pi)
    pose = np.eye(4)
    pose[:3, :3], pose[0, 3] = rotation_z(yaw), x
    boxes = transform_boxes(np.linalg.inv(pose), world_boxes())
    image = np.full((*SIZE[::-1], 3), 90, np.uint8)
    pixels, _ = project_points(np.block([[MATRIX, np.zeros((3, 1))], [np.zeros((1, 3)), 1]]) @ AHEAD,
                               box_corners(boxes))
    for low, high in sorted(zip(pixels.min(1), pixels.max(1)), key=lambda ends: ends[1][1]):
        cv2.rectangle(image, low.round().astype(int).tolist(), high.round().astype(int).tolist(), (30, 200, 220), -1)
    name = f'{agent}_{index}.png'
    cv2.imwrite(str(root / name), image)
    objects = [['car', int(track), *centre.tolist(), *size.tolist(), float(angle)] for track, centre, size, angle in
               zip(boxes.track_id, boxes.centre, boxes.size, boxes.yaw)]
    return {'id': f'{index}', 'sequence': 'a' if index < 4 else 'b', 'time_us': START_US + index * PERIOD_US,
            'pose': [x, 0.0, yaw], 'images': {f'{agent}_camera': name}, 'objects': objects}


@pytest.fixture(scope='module')
def healthy(tmp_path_factory):
    """Return a folder of the made-up layout: two sequences, one in each part of the split."""
    root = tmp_path_factory.mktemp('data') / 'meadow'
    root.mkdir()
    cameras = {f'{agent}_camera': {'matrix': MATRIX.tolist(), 'cam_from_lidar': AHEAD.tolist()}
               for agent in ('car', 'pole')}
    content = {'classes': ['car', 'sheep'], 'split': {'train': ['a'], 'val': ['b']}, 'cameras': cameras,
               'frames': {agent: [frame(root, agent, i) for i in range(6)] for agent in ('car', 'pole')}}
    (root / 'meadow.json').write_text(json.dumps(content))
    return root


@pytest.fixture
def meadow(monkeypatch, healthy, tmp_path):
    """Make the layout a known format, as its line in ``data/folders.py`` would; return what plants a fault."""
    known = folders._Format('meadow', 'meadow.json', meadow_data.is_meadow, meadow_data.MeadowDataset)
    monkeypatch.setattr(folders, '_FORMATS', (known, *folders._FORMATS))

    def plant(fault=lambda content: None):
        content = json.loads((healthy / 'meadow.json').read_text())
        root = tmp_path / 'meadow'
        root.mkdir()
        for image in healthy.glob('*.png'):
            (root / image.name).symlink_to(image)
        fault(content)
        (root / 'meadow.json').write_text(json.dumps(content))
        return root
    return plant


def first(content, agent='car'):
    """Return the first frame of an agent."""
    return content['frames'][agent][0]


def turned(axis, degrees):
    """Return a fault: the camera of the pole is turned."""
    def fault(content):
        camera = content['cameras']['pole_camera']
        rotation = np.eye(4)
        rotation[:3, :3] = cv2.Rodrigues(np.radians(degrees) * np.eye(3)[axis])[0]
        camera['cam_from_lidar'] = (rotation @ camera['cam_from_lidar']).tolist()
    return fault


FAULTS = {
    'unreadable-calibration': (lambda c: c['cameras']['car_camera'].update(matrix=[1, 2]), 'error',
                               "camera 'car_camera'"),
    'unreadable-labels': (lambda c: first(c)['objects'][0].__setitem__(0, 'cow'), 'error', "unknown class 'cow'"),
    'missing-image': (lambda c: first(c)['images'].update(car_camera='gone.png'), 'error', 'gone.png'),
    'unlikely-calibration': (lambda c: c['cameras']['pole_camera']['matrix'][0].__setitem__(2, 300), 'warning',
                             'cx 300'),
    'labels-outside-image': (lambda c: c['cameras']['car_camera'].update(cam_from_lidar=np.linalg.inv(AHEAD).tolist()),
                             'error', 'of 32 labels'),
    'below-ground': (lambda c: first(c)['objects'][2].__setitem__(4, -6.0), 'warning', 'frame 0, identity 3, 5.0 m'),
    'half-turn': (lambda c: first(c)['objects'][2].__setitem__(8, 3.1), 'warning', 'frame 1, identity 3'),
    'repeated-identity': (lambda c: first(c)['objects'][2].__setitem__(1, 1), 'error', 'frame 0, identity 1'),
    'time-goes-back': (lambda c: c['frames']['car'][2].update(time_us=START_US), 'error', 'frame 2'),
    'empty-split': (lambda c: c.update(split={'train': ['a', 'b'], 'val': []}), 'warning', 'val'),
    'distant-pair': (lambda c: first(c, 'pole').update(time_us=START_US - 150_000), 'warning', 'frame 0, 150 ms'),
    'camera-turned': (turned(1, 1.0), 'warning', 'too far right'),
}


def test_nothing_is_found_in_a_healthy_folder_of_a_made_up_layout(meadow, capsys):
    assert main(['data', 'check', str(meadow())]) == 0
    assert '6 recordings, 18 records: nothing wrong was found' in capsys.readouterr().out


@pytest.mark.parametrize('rule', FAULTS)
def test_a_planted_fault_is_found_and_named(rule, meadow):
    fault, severity, evidence = FAULTS[rule]
    root = meadow(fault)
    found = apply([own for own in RULES if own.id == rule], read([(root, open_dataset(root))]))
    assert any(evidence in f.evidence + f.where for f in found)
    assert {f.severity for f in found} == {severity} and found[0].mend


@pytest.mark.parametrize(('rule', 'status'), [('half-turn', 1), ('missing-image', 3)])
def test_the_status_follows_the_severity_and_findings_are_written(rule, status, meadow, tmp_path, capsys):
    out = tmp_path / 'found.json'
    assert main(['data', 'check', str(meadow(FAULTS[rule][0])), '--json', str(out)]) == status
    found, = {f['rule'] for f in json.loads(out.read_text())['findings']}
    assert found == rule and f'{rule}: ' in capsys.readouterr().out


@pytest.mark.parametrize(('axis', 'degrees', 'words'), [
    (1, 1.0, 'too far right'), (1, -1.0, 'too far left'), (0, -1.0, 'too far down'), (0, 1.0, 'too far up')])
def test_a_camera_that_is_turned_by_a_degree_is_named_with_the_direction(meadow, axis, degrees, words):
    data = read([(root, open_dataset(root)) for root in [meadow(turned(axis, degrees))]])
    found = apply(RULES, data)
    assert {f.rule for f in found} == {'camera-turned'}
    assert all('pole_camera' in f.where and words in f.evidence for f in found)
    angles = [float(re.search(r'lie ([\d.]+) degrees', f.evidence)[1]) for f in found]
    assert angles and np.abs(np.array(angles) - 1.0).max() <= 0.2


def test_three_frames_of_each_camera_are_drawn(meadow, tmp_path):
    out = tmp_path / 'pictures'
    assert main(['data', 'check', str(meadow()), '--pictures', str(out)]) == 0
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 6 and sum('pole_camera' in name for name in names) == 3
    assert cv2.imread(str(out / names[0])).shape == (*SIZE[::-1], 3)


def test_what_the_reader_of_v2x_seq_leaves_out_is_found(tmp_path):
    content = golden('dataset')
    calibration = next(name for name in content if name.startswith('infrastructure-side/calib/camera_intrinsic'))
    del content[calibration]
    root = write_folder(tmp_path / 'spd', content)
    found = {f.rule: f for f in apply(RULES, read([(root, open_dataset(root))]))}
    # The golden folder has objects with the identity of another.
    assert re.search(r'objects are left out, the first: track_id \d+ in .*/label/', found['repeated-identity'].evidence)
    assert calibration in found['unreadable-calibration'].evidence
    assert 'missing-image' in found


def test_every_rule_has_a_planted_fault_and_a_line_in_the_documents():
    assert {rule.id for rule in RULES} == set(FAULTS)
    page = (ROOT / 'docs/add_a_data_set.md').read_text()
    for rule in RULES:
        assert re.search(rf'\| `{rule.id}` \| {rule.severity.name.lower()} \|', page), rule.id
    assert len((ROOT / 'test/support/meadow_data.py').read_text().splitlines()) < 150
