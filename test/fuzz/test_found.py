"""What the fuzz campaigns found, in plain words; each of these ended in a traceback once."""

from __future__ import annotations

import json
import sqlite3

import pytest
import yaml
from fuzz.bags import as_sqlite
from fuzz.scene import make_scene

from cooptrack_ros.common.config import load_config, named_config
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.recording import read_pairs
from cooptrack_ros.data.spd.calibration import read_intrinsic
from cooptrack_ros.data.spd.labels import read_labels
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.data.spd.schema import integer, read_json
from cooptrack_ros.data.spd.tables import _LABEL_UPDATE_KEYS, label_updates
from cooptrack_ros.sensors.calibration_file import read_calibration
from cooptrack_ros.train.recipe import load_recipe
from cooptrack_ros.weights.store import open_model

DEEP = '[' * 5000


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """Give a small data set; tests put back what they change."""
    return make_scene(tmp_path_factory.mktemp('scene'))


@pytest.fixture(scope='module')
def bag(scene, tmp_path_factory):
    """Give it as a bag."""
    path = tmp_path_factory.mktemp('bags') / 'bag'
    convert(SpdDataset(scene), '0000', path)
    return path


@pytest.mark.parametrize('content', [DEEP, '{}', '- 1', 'preset: [1]', 'input_size: [1]', 'embed_dims: 10000000000',
                                     'num_heads: 0', 'method: 3', 'backbone: {widths: [null, 1, 2, 3]}',
                                     'x: 9999-99-99', 'pc: \x07', '? [a]: 1'])
def test_configuration_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / 'config.yaml'
    path.write_text(content, encoding='utf-8')
    if content == '{}':
        assert named_config(str(path)).name == 'r50'
        return
    with pytest.raises(UserError, match='config'):
        named_config(str(path))


@pytest.mark.parametrize('read', [read_calibration, lambda path: load_recipe(str(path)),
                                  lambda path: open_model(str(path.parent))])
def test_deeply_nested_or_binary_files_are_refused(tmp_path, read):
    for content in (DEEP.encode(), b'\xff\xfe\x00', b'recipe: [1]'):
        for name in ('file.yaml', 'card.yaml'):
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError):
            read(tmp_path / 'file.yaml')


def test_card_whose_sides_are_a_list_is_refused(tmp_path):
    card = {'configuration': {'preset': 'mini'}, 'sides': {'vehicle': ['sha256']}}
    (tmp_path / 'card.yaml').write_text(yaml.safe_dump(card), encoding='utf-8')
    with pytest.raises(UserError, match='sides'):
        open_model(str(tmp_path))


def test_sizes_of_a_configuration_have_limits():
    with pytest.raises(ValueError, match='num_queries'):
        load_config({'preset': 'mini', 'num_queries': 10**9})


def test_json_that_is_nested_too_deep_is_refused(tmp_path):
    (tmp_path / 'a.json').write_text('[' * 200_000)
    with pytest.raises(UserError, match='cannot be read'):
        read_json(tmp_path / 'a.json', list)


def test_infinite_time_stamp_is_refused(tmp_path):
    with pytest.raises(UserError, match='whole number'):
        integer(float('inf'), 'pointcloud_timestamp', tmp_path)


@pytest.mark.parametrize('value', [1, None, 'a', {'k': 1}])
def test_distortion_that_is_no_list_is_refused(tmp_path, value):
    file = tmp_path / 'camera.json'
    file.write_text(json.dumps({'cam_K': [1, 0, 0, 0, 1, 0, 0, 0, 1], 'cam_D': value}))
    with pytest.raises(UserError, match='cam_D'):
        read_intrinsic(file)


@pytest.mark.parametrize('key', ['image_path', 'label_lidar_std_path', 'pointcloud_path',
                                 'calib_camera_intrinsic_path'])
@pytest.mark.parametrize('value', [5, None, [], 'a\0b'])
def test_file_name_that_is_none_is_refused(scene, key, value):
    index = scene / 'vehicle-side/data_info.json'
    good = index.read_text()
    content = json.loads(good)
    content[0][key] = value
    try:
        index.write_text(json.dumps(content))
        with pytest.raises(UserError, match=key):
            SpdDataset(scene).sequences()
    finally:
        index.write_text(good)


@pytest.mark.parametrize('value', [False, 3, None, ['Car']])
def test_a_type_of_object_that_is_no_text_is_refused(tmp_path, value):
    file = tmp_path / 'label.json'
    file.write_text(json.dumps([{'token': 'a', 'type': value, 'track_id': '1'}]))
    with pytest.raises(UserError, match="'type' must be a text"):
        read_labels(file, {})


@pytest.mark.parametrize('content', [[], {'000001': []}, {'000001': {'a': ['Car']}}, {'000001': {'a': [1, '2']}}])
def test_label_updates_that_are_none_are_refused(tmp_path, content):
    file = tmp_path / 'updates.json'
    file.write_text(json.dumps(dict.fromkeys(_LABEL_UPDATE_KEYS.values(), content)))
    with pytest.raises(UserError, match='must map frame ids'):
        label_updates(file)


@pytest.mark.parametrize('change', [{'duration': None}, {'custom_data': {'cooptrack': '[1]'}}, {'custom_data': 3},
                                    {'topics_with_message_count': [None]}, {'starting_time': {}}])
def test_metadata_of_a_bag_that_make_no_sense_are_refused(bag, change):
    file = bag / 'metadata.yaml'
    good = file.read_text()
    content = yaml.safe_load(good)
    content['rosbag2_bagfile_information'] |= change
    try:
        file.write_text(yaml.safe_dump(content))
        with pytest.raises(UserError, match='metadata'):
            describe_bag(bag)
    finally:
        file.write_text(good)


def test_bag_whose_content_is_spoilt_is_refused(bag, tmp_path):
    as_sqlite(bag, tmp_path / 'sqlite')
    database = next((tmp_path / 'sqlite').glob('*.db3'))
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE messages SET data = x'00010000ffffffff'")
    connection.close()
    with pytest.raises(UserError, match='cannot be read as a ROS 2 bag'):
        read_pairs(tmp_path / 'sqlite')
    database.write_bytes(b'SQLite format 3\0' + bytes(200))
    with pytest.raises(UserError, match='cannot be read as a ROS 2 bag'):
        read_pairs(tmp_path / 'sqlite')
