"""Training of a tracker with a point cloud branch: which sensors a frame has, and what learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.configs import TINY

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Frame, Side
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.pillars import PillarGrid
from cooptrack_ros.model.lidar.sizes import LidarSizes
from cooptrack_ros.train import run
from cooptrack_ros.train.augment import mirror_frame, with_modalities
from cooptrack_ros.train.clips import Sample
from cooptrack_ros.train.loop import parameter_groups
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import RECIPES, ModalityConfig
from cooptrack_ros.weights.encoder_file import save_encoder

SIZES = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)
CLOUD = np.array([[10, 3, 0, 0.5], [20, -4, 1, 1]], np.float32)


def frame(cloud=CLOUD):
    image = np.zeros((6, 8, 3), np.uint8)
    return Frame('s', 0, (image,), np.eye(4)[None], np.eye(4), np.eye(4), cloud)


@pytest.fixture(scope='module')
def data(scenes):
    return [scenes.scene(20006, 0.5, (64, 36), units=2, lidar=True)]


def recipe(**modalities):
    return replace(RECIPES['mini-vehicle'], steps=2, batch_size=2, warmup_steps=1, clip_length=2,
                   modalities=ModalityConfig(**modalities))


def prepared(data, init=(), **modalities):
    return run.tracking_run(TINY, recipe(**modalities), Side.VEHICLE, data, init, lidar=SIZES)


def test_a_frame_lacks_its_cloud_or_its_images_as_often_as_said_and_never_both():
    found = [with_modalities(frame(), 0.3, 0.1, np.random.default_rng(k)) for k in range(1000)]
    assert abs(np.mean([f.cloud is None for f in found]) - 0.3) < 0.05
    assert abs(np.mean([not f.images for f in found]) - 0.1) < 0.03
    assert all(f.images or f.cloud is not None for f in found)
    assert all(len(f.images) == len(f.img_from_lidar) for f in found)
    alone = with_modalities(frame(None), 0.0, 1.0, np.random.default_rng(0))
    assert len(alone.images) == 1


def test_a_mirrored_frame_has_its_cloud_mirrored_also_without_images():
    np.testing.assert_array_equal(mirror_frame(frame()).cloud, CLOUD * [1, -1, 1, 1])
    bare = mirror_frame(replace(frame(), images=(), img_from_lidar=np.zeros((0, 4, 4))))
    assert bare.img_from_lidar.shape == (0, 4, 4) and mirror_frame(frame(None)).cloud is None


@pytest.mark.parametrize('values', [{'lidar_off': 0.7, 'camera_off': 0.5}, {'lidar_off': -0.1}])
def test_shares_that_cannot_be_are_refused(values):
    with pytest.raises(UserError, match='modalities.lidar_off'):
        ModalityConfig(**values)


def test_the_encoder_of_a_pretraining_starts_the_branch_and_learns_at_half_the_rate(data, tmp_path):
    encoder = PillarEncoder(PillarGrid.of(TINY, Side.VEHICLE), SIZES)
    save_encoder(tmp_path / 'encoder.safetensors', encoder, {})
    torch.save({'modules': {}}, tmp_path / 'checkpoint.pt')
    stage, stream = prepared(data, [tmp_path], gate=0.25)
    branch = stage.modules['lidar']
    assert all(torch.equal(v, branch.encoder.state_dict()[k]) for k, v in encoder.state_dict().items())
    assert branch.gate.item() == 0.25 and stage.stages.lidar is branch
    groups = {len(g['params']): g['factor'] for g in parameter_groups(stage.modules, recipe())}
    assert groups[len(list(branch.encoder.parameters()))] == 0.5
    assert stream.sample(0, (0, 0)).inputs.cloud is not None or stream.sample(0, (0, 1)).inputs.cloud is not None


@pytest.mark.parametrize('modalities', [{'lidar_off': 0.0, 'camera_off': 0.0}, {'lidar_off': 0.0, 'camera_off': 1.0},
                                        {'lidar_off': 1.0, 'camera_off': 0.0}])
def test_every_combination_of_sensors_learns(data, modalities):
    stage, stream = prepared(data, gate=0.5, **modalities)
    samples = [stream.sample(0, (0, k)) for k in range(2)]
    for sample in samples:
        assert isinstance(sample, Sample) and isinstance(sample.targets, Targets)
        assert (sample.inputs.cloud is None) == (modalities['lidar_off'] == 1)
        assert (len(sample.inputs.images) == 0) == (modalities['camera_off'] == 1)
        terms = stage.losses([0], [sample])[0]
        assert 'image_heatmap' in terms
        loss = sum(term.value for term in terms.values())
        stage.modules.zero_grad()
        loss.backward()
    branch, network = stage.modules['lidar'], stage.network
    assert torch.isfinite(loss) and branch.gate.grad.abs() > 0
    learns = branch.missing if modalities['lidar_off'] == 1 else branch.encoder.pillars.linear.weight
    assert learns.grad.abs().sum() > 0
    if modalities['camera_off'] == 1:
        assert network.bev_encoder.queries.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(('options', 'words'), [
    (['image'], 'which the stage image does not train'), (['vehicle', '--export', 'model'], 'stays in --out')])
def test_what_cannot_have_a_branch_refuses_its_configurations(tmp_path, capsys, options, words):
    assert main(['train', *options, '--config', 'mini_lidar', '--data', str(tmp_path), '--out',
                 str(tmp_path / 'run')]) == 2
    assert words in capsys.readouterr().err
