"""What vehicle and units look with in an evaluation: images, point clouds, or both."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.configs import TINY, with_thresholds

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Sensors, Side
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.model.lidar.branch import LidarBranch
from cooptrack_ros.model.lidar.sizes import LidarSizes
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.weights.store_parts import save_lidar

SIZES = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)
CONFIG = with_thresholds(replace(TINY, method=replace(TINY.method, cooperation='additions')), 0.005)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a model with a branch on both sides whose gate is open."""
    path = tmp_path_factory.mktemp('model') / 'small'
    for seed, side in enumerate((Side.VEHICLE, Side.ROADSIDE, Side.COOPERATIVE)):
        torch.manual_seed(seed)
        save_side(path, CONFIG, side, CoopTrackNetwork(CONFIG, side), {})
    for side in (Side.VEHICLE, Side.ROADSIDE):
        save_lidar(open_model(str(path)), side, LidarBranch(CONFIG, side, SIZES, 1.0), {})
    return path


@pytest.fixture(scope='module')
def data(scenes):
    """Return a scene with point clouds."""
    return scenes.scene(20006, 0.5, (64, 36), units=2, lidar=True)


def scores(data, folder, mode='none', limit=2, **sensors):
    run = Evaluation(open_datasets([data]), open_model(str(folder)), Selection(limit=limit), **sensors).run(mode)[0]
    return [round(row['score'], 6) for rows in run['detections'].values() for row in rows]


def test_a_frame_has_the_sensors_that_are_asked_for(data):
    _, dataset = open_datasets([data])[0]
    pair = next(iter(dataset.partners(dataset.records('cooperative')).values()))[0]
    for side in ('vehicle', 'infrastructure'):
        frames = {sensors: pair.frame(side, sensors=sensors) for sensors in Sensors}
        assert {s: (len(f.images), f.cloud is not None) for s, f in frames.items()} == {
            Sensors.CAMERA: (1, False), Sensors.LIDAR: (0, True), Sensors.BOTH: (1, True)}
        source = pair.infra if side == 'infrastructure' else pair
        assert np.array_equal(frames[Sensors.LIDAR].cloud, source.point_cloud.read())
    no_cloud = replace(pair, point_cloud=None).frame(sensors=Sensors.BOTH)
    assert len(no_cloud.images) == 1 and no_cloud.cloud is None


def test_each_choice_of_sensors_gives_a_tracker_of_its_own(data, folder):
    found = [scores(data, folder, sensors=sensors) for sensors in Sensors]
    assert all(found) and len({tuple(one) for one in found}) == 3
    assert found[0] == scores(data, folder)


def test_units_may_look_with_something_else(data, folder):
    def sent(**sensors):
        datasets = open_datasets([data])
        evaluation = Evaluation(datasets, open_model(str(folder)), **sensors)
        records = Selection(limit=1).records(datasets[0][1])
        arrived = next(iter(evaluation.arrivals(*datasets[0], records)))
        return np.concatenate([message.instances.semantic for message in arrived])
    both, camera = sent(sensors=Sensors.BOTH), sent(sensors=Sensors.CAMERA)
    assert len(both) and not np.array_equal(both, camera)
    assert np.array_equal(camera, sent(sensors=Sensors.BOTH, unit_sensors=Sensors.CAMERA))


def test_data_without_clouds_and_models_without_a_branch_are_named(scenes, data, folder):
    bare = scenes.scene(700, 1.5, (160, 90)).parent
    with pytest.raises(UserError, match='has no point clouds of the vehicle side'):
        scores(bare, folder, sensors=Sensors.LIDAR)
    with pytest.raises(UserError, match='has no point clouds of the roadside side'):
        scores(bare, folder, 'cooperative', unit_sensors=Sensors.BOTH)
    with pytest.raises(UserError, match='no point cloud branch for its vehicle weights'):
        scores(data, 'random:mini', sensors=Sensors.BOTH)


def test_the_command_keeps_the_sensors_among_its_options(data, folder, tmp_path, capsys):
    options = ['eval', '--data', str(data), '--weights', str(folder), '--mode', 'vehicle', '--limit', '1']
    assert main([*options, '--sensors', 'lidar', '--json', str(tmp_path / 'out.json')]) == 0

    row = json.loads((tmp_path / 'out.json').read_text())
    assert row['options']['sensors'] == 'lidar' and row['options']['unit_sensors'] is None
    assert row['models']['vehicle']['lidar'] == open_model(str(folder)).card['lidar']['sha256']
    assert 'image_features' not in row['stage_seconds'] and 'lidar' in row['stage_seconds']
    capsys.readouterr()
    assert main([*options, '--task', 'occupancy', '--unit-sensors', 'lidar']) == 2
    assert 'heads on cameras' in capsys.readouterr().err
