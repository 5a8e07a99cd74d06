"""Training of a tracker with a point cloud branch: which sensors a frame has, and what learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.configs import TINY

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Frame, Side
from cooptrack_ros.model.lidar.branch import LidarBranch
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.pillars import PillarGrid
from cooptrack_ros.model.lidar.sizes import LidarSizes
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.train import run
from cooptrack_ros.train.augment import mirror_frame, with_modalities
from cooptrack_ros.train.clips import Sample
from cooptrack_ros.train.loop import parameter_groups
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.recipe import RECIPES, ModalityConfig
from cooptrack_ros.train.tracking_stage import TrackingStage
from cooptrack_ros.weights.encoder_file import save_encoder
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.weights.store_parts import save_lidar

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


@pytest.fixture
def model(tmp_path):
    """Return a model with a vehicle network."""
    torch.manual_seed(3)
    save_side(tmp_path / 'model', TINY, Side.VEHICLE, CoopTrackNetwork(TINY, Side.VEHICLE), {})
    return tmp_path / 'model'


def test_a_frozen_tracker_stays_as_it_is_and_its_model_gets_the_branch(data, model, tmp_path):
    settings = recipe(freeze_tracker=True, lidar_off=0.0, gate=0.5)
    stage, stream = run.tracking_run(TINY, settings, Side.VEHICLE, data, [model], lidar=SIZES)
    assert stage.has_frozen_tracker
    before = {k: v.clone() for k, v in stage.network.state_dict().items()}
    start = stage.stages.lidar.gate.item()
    loop = run.train(stage, stream, TINY, settings, tmp_path / 'run', None)
    assert all(torch.equal(v, before[k]) for k, v in stage.network.state_dict().items())
    assert stage.stages.lidar.gate.item() != start
    card_before = open_model(str(model)).card['sides']
    run.export(model, stage, settings, loop, data)
    package = open_model(str(model))
    assert package.card['sides'] == card_before and package.card['lidar']['sides']['vehicle']['training']['steps'] == 2
    read, trained = package.branch(Side.VEHICLE).state_dict(), stage.stages.lidar.state_dict()
    assert all(torch.equal(read[k], v.half().to(v.dtype)) for k, v in trained.items())
    again, _ = run.tracking_run(TINY, settings, Side.VEHICLE, data, [model], lidar=SIZES)
    assert all(torch.equal(v, read[k]) for k, v in again.stages.lidar.state_dict().items())
    with pytest.raises(UserError, match='has other sizes than'):
        run.build_branch(TINY, Side.VEHICLE, replace(SIZES, neck_dims=6), settings, [model])


def test_a_branch_goes_only_into_the_model_that_it_stands_on(data, model, tmp_path):
    settings = recipe(freeze_tracker=True)
    stage, _ = run.tracking_run(TINY, settings, Side.VEHICLE, data, [], lidar=SIZES)
    with pytest.raises(UserError, match='are not those that the training stands on'):
        run.check_export(model, stage)


def test_a_branch_that_is_trained_with_its_tracker_is_exported_with_it(data, tmp_path):
    settings = recipe(gate=0.5)
    stage, stream = run.tracking_run(TINY, settings, Side.VEHICLE, data, [], lidar=SIZES)
    loop = run.train(stage, stream, TINY, settings, tmp_path / 'run', None)
    run.export(tmp_path / 'new', stage, settings, loop, data)
    read = open_model(str(tmp_path / 'new')).tracker(Side.VEHICLE, takes_clouds=True).stages.lidar.state_dict()
    assert all(torch.equal(read[k], v.half().to(v.dtype)) for k, v in stage.stages.lidar.state_dict().items())


def test_where_cooperation_adds_to_the_vehicle_its_branch_stays_as_it_is(data, model):
    config = replace(TINY, method=replace(TINY.method, cooperation='additions'))
    torch.manual_seed(1)
    save_lidar(open_model(str(model)), Side.VEHICLE, LidarBranch(TINY, Side.VEHICLE, SIZES, 0.5), {})
    branch = run.build_branch(config, Side.COOPERATIVE, SIZES, recipe(), [model])
    assert branch.gate.item() == 0.5
    TrackingStage(CoopTrackNetwork(config, Side.COOPERATIVE), recipe(), lidar=branch)
    assert not any(p.requires_grad for p in branch.parameters()) and not branch.training


def test_a_stage_without_a_tracker_refuses_a_branch(tmp_path, capsys):
    assert main(['train', 'image', '--config', 'mini_lidar', '--data', str(tmp_path), '--out',
                 str(tmp_path / 'run')]) == 2
    assert 'which the stage image does not train' in capsys.readouterr().err
