"""``cooptrack train lidar-pretraining`` from folders without labels to an encoder with figures."""

import json
import shutil

import pytest

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.spd import reader
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.pillars import PillarGrid
from cooptrack_ros.model.lidar.sizes import named_branch
from cooptrack_ros.train.lidar.run import open_run
from cooptrack_ros.weights.encoder_file import load_encoder


@pytest.fixture
def folders(scenes, tmp_path):
    """Return two recordings, one with two units, whose labels were removed."""
    made = [shutil.copytree(scenes.scene(20006, 0.5, (64, 36), units=units, lidar=True), tmp_path / f'seed_{units}')
            for units in (2, 1)]
    for folder in made:
        for labels in list(folder.glob('**/label')):
            shutil.rmtree(labels)
    return made


def test_an_encoder_is_pretrained_without_labels(folders, tmp_path, monkeypatch, capsys):
    def opened(*_):
        raise AssertionError('a label was opened')
    monkeypatch.setattr(reader, 'read_labels', opened)
    out = tmp_path / 'run'
    assert main(['train', 'lidar-pretraining', '--data', *map(str, folders), '--agents', 'all', '--out', str(out),
                 '--steps', '1', '--batch-size', '1', '--threads', '1']) == 0
    said = capsys.readouterr().out
    assert 'hidden_from_ego: ' in said and 'training frames, 1 a step' in said
    figures = json.loads((out / 'reconstruction.json').read_text())
    assert figures['held_out_frames'] > 0 and figures['chamfer_l1']['all']['cells'] > 100
    assert (out / 'reconstruction.png').stat().st_size > 10_000
    config, sizes = named_branch('mini_lidar')
    load_encoder(out, PillarEncoder(PillarGrid.of(config, Side.ROADSIDE), sizes))
    stage, settings = open_run(out)
    assert settings.agents == 'all' and stage.encoder.sizes == sizes


@pytest.mark.parametrize(('options', 'words'), [
    (['vehicle', '--agents', 'all'], '--agents belongs to the stage lidar-pretraining'),
    (['lidar-pretraining', '--export', 'model'], '--export is for networks of a tracker'),
    (['lidar-pretraining', '--config', 'r101'], "no point cloud branch 'r101'")])
def test_what_does_not_belong_together_is_refused(tmp_path, capsys, options, words):
    assert main(['train', *options, '--data', str(tmp_path), '--out', str(tmp_path / 'run')]) == 2
    assert words in capsys.readouterr().err


def test_data_without_clouds_is_refused(scenes, tmp_path, capsys):
    scene = shutil.copytree(scenes.scene(20006, 0.5, (64, 36), lidar=True), tmp_path / 'scene',
                            ignore=shutil.ignore_patterns('velodyne'))
    assert main(['train', 'lidar-pretraining', '--data', str(scene), '--out', str(tmp_path / 'run')]) == 2
    assert 'no frame of the vehicle with a point cloud' in capsys.readouterr().err
