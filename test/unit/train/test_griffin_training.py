"""Several cameras in training: each side gets all of its own, early fusion those of both."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.configs import TINY
from support.griffin_folders import write_griffin

from cooptrack_ros.common.config import GRIFFIN_R50, MINI_GRIFFIN, load_config
from cooptrack_ros.common.types import Side
from cooptrack_ros.train.recipe import RECIPES, recipe_family
from cooptrack_ros.train.run import _for_cameras, tracking_run

CONFIG = replace(TINY, max_cameras=9, ego_range=MINI_GRIFFIN.ego_range, infra_range=MINI_GRIFFIN.infra_range)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Give a folder with both sides."""
    return write_griffin(tmp_path_factory.mktemp('griffin'))


@pytest.mark.parametrize('side, early, cameras, objects', [
    (Side.VEHICLE, False, 4, 3), (Side.ROADSIDE, False, 5, 3), (Side.VEHICLE, True, 9, 4)])
def test_a_frame_has_the_cameras_and_labels_of_its_side(folder, side, early, cameras, objects):
    stage, stream = tracking_run(CONFIG, replace(RECIPES['mini-vehicle'], batch_size=1), side, [folder], early=early)
    assert stream.num_frames == 12
    sample = stream.sample(0, (0, 0))
    assert sample.inputs.images.shape[0] == len(sample.inputs.img_from_lidar) == cameras
    assert len(sample.targets.labels) == objects


def test_configurations_of_the_paper_have_its_ranges():
    for config, family in ((GRIFFIN_R50, 'better'), (MINI_GRIFFIN, 'mini')):
        assert config.ego_range.pc_range == (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
        assert config.infra_range.pc_range == (-51.2, -51.2, -35.0, 51.2, 51.2, -20.0)
        assert {config.class_range_of(side)['pedestrian'] for side in (Side.VEHICLE, Side.ROADSIDE)} == {50.0}
        assert recipe_family(config) == family
    assert GRIFFIN_R50.input_size == (544, 960)


@pytest.mark.parametrize('name, low, high', [('40m', -50.0, -35.0), ('random', -70.0, -15.0)])
def test_other_subsets_differ_in_the_height_of_the_drone(name, low, high):
    from pathlib import Path
    config = load_config(str(Path(__file__).parents[3] / f'config/griffin/{name}.yaml'))
    assert (config.infra_range.pc_range[2], config.infra_range.pc_range[5]) == (low, high)
    assert replace(config, name=GRIFFIN_R50.name, infra_range=GRIFFIN_R50.infra_range) == GRIFFIN_R50


def test_further_cameras_begin_as_the_last_one_that_is_known():
    saved = {'bev_encoder.camera_embed': torch.arange(4.0).view(2, 2), 'x': torch.zeros(1)}
    started = _for_cameras(saved, 4)
    assert started['bev_encoder.camera_embed'].tolist() == [[0, 1], [2, 3], [2, 3], [2, 3]]
    assert _for_cameras(saved, 2) is saved and _for_cameras({}, 4) == {}


@pytest.mark.parametrize('words', [['roadside'], ['cooperative', '--roadside', 'mini'],
                                   ['detection', '--side', 'roadside']])
def test_early_fusion_is_for_the_vehicle(words, tmp_path, capsys):
    from cooptrack_ros.cli.main import main
    assert main(['train', *words, '--data', str(tmp_path), '--out', str(tmp_path / 'run'), '--early']) == 2
    assert '--early belongs to the vehicle' in capsys.readouterr().err


def test_early_fusion_is_measured_without_messages(tmp_path, capsys):
    from cooptrack_ros.cli.main import main
    assert main(['eval', '--data', str(tmp_path), '--mode', 'cooperative', '--early']) == 2
    assert '--early is for --mode none' in capsys.readouterr().err
