"""Training of BEV fusion on the known features of two networks that stay as they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from support.configs import TINY

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.model.cooperation.bev_fusion import BevFusion
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.train.bev_fusion.maps import MapFile, collect_maps
from cooptrack_ros.train.bev_fusion.settings import BevFusionConfig
from cooptrack_ros.train.bev_fusion.stage import BevFusionStage, MapStream
from cooptrack_ros.train.losses import combine, divisors
from cooptrack_ros.train.recipe import RECIPES, load_recipe
from cooptrack_ros.weights.bev_fusion_file import load_bev_fusion
from cooptrack_ros.weights.store import open_model, save_side

RECIPE = replace(RECIPES['mini-bev-fusion'], batch_size=2, bev_fusion=BevFusionConfig(sparse=0.0))
CELLS = TINY.bev_size[0] * TINY.bev_size[1]


def make_model(folder, seed=0):
    """Write a model with a vehicle and a roadside network of random weights."""
    for side in (Side.VEHICLE, Side.ROADSIDE):
        torch.manual_seed(seed + (side is Side.ROADSIDE))
        save_side(folder, TINY, side, CoopTrackNetwork(TINY, side), {})
    return folder


@pytest.fixture(scope='module')
def data(scenes):
    """Return a folder with one small scene."""
    return scenes.scene(701, 1.2, (160, 90)).parent


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """Return a model folder."""
    return make_model(tmp_path_factory.mktemp('models') / 'model')


@pytest.fixture(scope='module')
def maps(data, model, tmp_path_factory):
    """Return the BEV features of the scene by recording."""
    package, said = open_model(str(model)), []
    arguments = package, package, open_datasets([data]), tmp_path_factory.mktemp('maps'), said.append
    first = collect_maps(*arguments)
    assert len(said) == 1 and collect_maps(*arguments).keys() == first.keys() and len(said) == 1
    return first


def stream(data, maps, recipe=RECIPE):
    return MapStream(open_datasets([data]), TINY, recipe, maps)


def samples(given, slot, count):
    """Return the first frames of a slot."""
    return [given.sample(slot, position) for position in islice(given.positions(slot), count)]


def train_command(data, model, out, *options):
    return main(['train', 'bev-fusion', '--init', str(model), '--data', str(data), '--out', str(out), '--steps', '1',
                 '--threads', '1', *map(str, options)])


def test_kept_features_are_those_of_the_trackers(data, model, maps):
    (_, dataset), = open_datasets([data])
    package = open_model(str(model))
    records = dataset.records('cooperative', dataset.sequences()[0])[:2]
    for side, image, part in ((Side.VEHICLE, 'vehicle', 'ego'), (Side.ROADSIDE, 'infrastructure', 'infra')):
        tracker = package.tracker(side)
        state = tracker.initial()
        for record in records:
            state, _ = tracker.step(state, record.frame(image))
            kept = getattr(next(iter(maps.values())).read(record.token), part)
            np.testing.assert_allclose(kept, state.bev[0], atol=4e-3)


def test_a_frame_holds_all_cells_or_the_best_ones(data, maps):
    whole = stream(data, maps).sample(0, (0, 0))
    assert len(whole.inputs.received[0].cells) == CELLS and len(whole.targets)
    few = stream(data, maps, replace(RECIPE, bev_fusion=BevFusionConfig(sparse=1.0)))
    once, again = ([s.inputs.received[0].cells for s in samples(few, 0, 12)] for _ in range(2))
    counts = set(map(len, once))
    assert len(counts) > 4 and min(counts) >= 8 and max(counts) <= CELLS
    assert all(np.array_equal(a.index, b.index) for a, b in zip(once, again, strict=True))


def test_only_the_fusion_is_trained_and_its_gradients_come_through_the_decoder(data, model, maps):
    fusion, given = BevFusion(TINY), stream(data, maps)
    torch.nn.init.normal_(fusion.layers[-1].weight, std=0.01)
    network = open_model(str(model)).network(Side.VEHICLE)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    stage = BevFusionStage(network, fusion, RECIPE)
    for pair in zip(samples(given, 0, 2), samples(given, 1, 2), strict=True):
        terms = stage.losses([0, 1], pair)
        sum(combine(terms, divisors(terms)).values()).backward()
        stage.cut()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in fusion.parameters())
    assert not any(p.requires_grad for p in network.parameters())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert stage.memory()[0]['sequence'].startswith(next(iter(maps)))


def test_the_command_trains_resumes_and_exports(data, model, tmp_path, capsys):
    target = make_model(tmp_path / 'target')
    assert train_command(data, model, tmp_path / 'run', '--export', target) == 0
    package = open_model(str(target))
    assert package.card['bev_fusion']['training']['steps'] == 1
    assert load_bev_fusion(package, package).layers[0].weight.shape[1] == 2 * TINY.embed_dims
    assert train_command(data, model, tmp_path / 'run', '--steps', '2') == 0
    other = make_model(tmp_path / 'other', seed=5)
    assert train_command(data, other, tmp_path / 'run') == 2
    assert 'choose another run folder' in capsys.readouterr().err
    assert train_command(data, model, tmp_path / 'new', '--export', other) == 2
    assert 'expected a copy of the model of --init' in capsys.readouterr().err


def test_what_is_missing_is_named(data, model, tmp_path, capsys):
    words = ['train', 'bev-fusion', '--data', str(data), '--out', str(tmp_path / 'run')]
    for given in ([], ['--init', str(tmp_path)], ['--init', str(model), str(model)]):
        assert main([*words, *given]) == 2
        assert 'needs --init MODEL, one model folder' in capsys.readouterr().err
    assert main([*words, '--init', str(model), '--roadside', 'random:mini']) == 2
    assert "needs a stored model, not 'random:mini'" in capsys.readouterr().err


def test_at_a_lower_rate_there_are_features_of_the_frames_that_training_takes(data, model, tmp_path):
    package, opened = open_model(str(model)), open_datasets([data])
    found = collect_maps(package, package, opened, tmp_path, print, hz=2)
    given = samples(stream(data, found, replace(RECIPE, hz=2)), 0, 3)
    assert len({s.inputs.stamped_pose.stamp_ns for s in given}) == 3


def test_scenes_that_would_be_mirrored_are_refused(data, maps):
    with pytest.raises(UserError, match='mirror_probability must be 0'):
        stream(data, maps, replace(RECIPE, augment=replace(RECIPE.augment, mirror_probability=0.5)))


def test_a_damaged_file_of_features_is_named(tmp_path):
    path = tmp_path / 'seed.safetensors'
    path.write_bytes(b'no features')
    with pytest.raises(UserError, match='remove it, it is made again'):
        MapFile(path)


@pytest.mark.parametrize('family', ['paper', 'better', 'mini'])
def test_every_family_has_its_recipe(family):
    assert load_recipe(f'{family}-bev-fusion').augment.photometric_probability == 0


@pytest.mark.parametrize('block', [{'sparse': 1.5}, {'fewest_cells': 0}])
def test_a_wrong_block_of_a_recipe_is_refused(block):
    with pytest.raises(UserError, match='bev_fusion.sparse must be a share'):
        BevFusionConfig(**block)
