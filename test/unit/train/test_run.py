"""Training runs: every stage, resume, export."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import yaml

from cooptrack_ros.cli.main import main
from cooptrack_ros.core.config import MINI, config_to_dict
from cooptrack_ros.core.errors import UserError
from cooptrack_ros.core.types import Side
from cooptrack_ros.data.synth import generate
from cooptrack_ros.model.store import open_model
from cooptrack_ros.train import run
from cooptrack_ros.train.recipe import RECIPES

TINY = replace(
    MINI, input_size=(96, 160), embed_dims=24, num_heads=2, num_queries=40, bev_size=(10, 10), ffn_dims=24,
    reasoning_ffn_dims=24, alignment_blocks=2, backbone=replace(MINI.backbone, widths=(8, 8, 16, 16)))


def recipe(name, steps):
    """Return a named recipe of a few steps."""
    return replace(RECIPES[name], steps=steps, batch_slots=2, warmup_steps=1, checkpoint_every=1)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Return a folder with one small town."""
    folder = tmp_path_factory.mktemp('towns')
    generate(folder / 'seed_000701', 701, 1.2, size=(160, 90))
    return [folder]


@pytest.fixture(scope='module')
def pretrained(data, tmp_path_factory):
    """Return the run folder of two steps on pictures."""
    out = tmp_path_factory.mktemp('runs') / 'image'
    settings = recipe('mini-image', 2)
    run.train(*run.image_run(TINY, settings, data), TINY, settings, out, None, None)
    return out


def trained(side, name, data, out, steps, init, messages=None):
    """Train one side; return stage and loop."""
    settings = recipe(name, steps)
    stage, stream = run.tracking_run(TINY, settings, side, data, init, messages)
    return stage, run.train(stage, stream, TINY, settings, out, None, None), settings


def test_both_stages_run_and_their_weights_open_as_a_model(data, pretrained, tmp_path):
    model = tmp_path / 'model'
    for side in (Side.VEHICLE, Side.ROADSIDE):
        stage, loop, settings = trained(side, 'mini', data, tmp_path / side.value, 2, pretrained)
        run.export(model, stage, settings, loop, data)
    messages = run.collect_messages(open_model(str(model)), data, tmp_path / 'messages', lambda text: None)
    stage, loop, settings = trained(Side.COOPERATIVE, 'mini-cooperative', data, tmp_path / 'coop', 2,
                                    tmp_path / 'vehicle', messages)
    run.export(model, stage, settings, loop, data)
    package = open_model(str(model))
    assert package.config == TINY
    assert package.card['sides']['cooperative']['training']['steps'] == 2
    assert all(torch.isfinite(p).all() for s in Side for p in package.network(s).parameters())
    frozen = package.network(Side.COOPERATIVE).backbone.state_dict()
    assert all(torch.equal(v, frozen[k]) for k, v in package.network(Side.VEHICLE).backbone.state_dict().items())


def test_pretrained_pictures_are_the_start_of_stage_one(data, pretrained, tmp_path):
    stage, _ = run.tracking_run(TINY, recipe('mini', 1), Side.VEHICLE, data, pretrained)
    saved = torch.load(pretrained / 'checkpoint.pt', weights_only=True)['modules']
    name = 'backbone.stem.0.weight'
    assert torch.equal(stage.network.state_dict()[name], saved[f'network.{name}'])


def test_an_interrupted_run_goes_on_where_it_was(data, pretrained, tmp_path):
    _, first, _ = trained(Side.VEHICLE, 'mini', data, tmp_path / 'run', 2, pretrained)
    _, second, _ = trained(Side.VEHICLE, 'mini', data, tmp_path / 'run', 3, pretrained)
    assert (first.step, second.step) == (2, 3)
    assert len((tmp_path / 'run' / 'settings.json').read_text()) > 100


def test_a_published_model_can_be_the_start(data, pretrained, tmp_path):
    stage, loop, settings = trained(Side.VEHICLE, 'mini', data, tmp_path / 'run', 1, pretrained)
    run.export(tmp_path / 'model', stage, settings, loop, data)
    for side in (Side.VEHICLE, Side.COOPERATIVE):
        network = run.build_network(TINY, side, 0, tmp_path / 'model', [])
        assert torch.equal(network.query_points.weight, stage.network.query_points.weight.half().float())


def test_a_start_that_is_not_there_is_named(data, tmp_path):
    with pytest.raises(UserError, match=r'holds no checkpoint\.pt'):
        run.tracking_run(TINY, recipe('mini', 1), Side.VEHICLE, data, tmp_path)


def same_modules(one, other):
    """Tell whether two run folders hold the same weights and optimiser state, bit by bit."""
    a, b = (torch.load(folder / 'checkpoint.pt', weights_only=True) for folder in (one, other))
    moments = [[v for s in x['optimiser']['state'].values() for v in s.values()] for x in (a, b)]
    return (all(torch.equal(v, b['modules'][k]) for k, v in a['modules'].items())
            and all(torch.equal(x, y) for x, y in zip(*moments, strict=True)))


@pytest.mark.parametrize('stage', ['image', 'vehicle'])
def test_a_killed_run_ends_with_the_same_bits(stage, data, tmp_path):
    (tmp_path / 'tiny.yaml').write_text(yaml.safe_dump({'preset': 'mini', **config_to_dict(TINY)}))
    command = [sys.executable, '-m', 'cooptrack_ros.cli.main', 'train', stage, '--data', *map(str, data), '--config',
               str(tmp_path / 'tiny.yaml'), '--threads', '1', '--checkpoint-every', '1']
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    subprocess.run([*command, '--steps', '24', '--out', str(whole)], check=True, stdout=subprocess.DEVNULL)
    # Cut inside a clip of five frames: what the slots remember has to come back too.
    process = subprocess.Popen([*command, '--steps', '24', '--out', str(killed)], stdout=subprocess.DEVNULL)
    try:
        while not step_of(killed) >= 3:
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert 3 <= step_of(killed) < 24
    assert subprocess.run([*command, '--steps', '24', '--out', str(killed)], check=True,
                          stdout=subprocess.DEVNULL).returncode == 0
    assert step_of(killed) == 24 and same_modules(whole, killed)


def step_of(folder):
    """Return the step of the checkpoint in a run folder, 0 without one."""
    path = folder / 'checkpoint.pt'
    return torch.load(path, weights_only=True)['step'] if path.is_file() else 0


def test_a_slice_of_time_leaves_a_run_that_goes_on(data, tmp_path, capsys):
    (tmp_path / 'tiny.yaml').write_text(yaml.safe_dump({'preset': 'mini', **config_to_dict(TINY)}))
    command = ['train', 'image', '--data', *map(str, data), '--config', str(tmp_path / 'tiny.yaml'), '--threads', '1',
               '--steps', '2', '--out', str(tmp_path / 'run')]
    assert main([*command, '--slice-minutes', '0']) == 3
    assert 'the same command goes on' in capsys.readouterr().out
    assert main(command) == 0 and step_of(tmp_path / 'run') == 2
    code = json.loads((tmp_path / 'run' / 'settings.json').read_text())['code']
    assert code['torch'] == torch.__version__ and 'version' in code


@pytest.mark.gpu
@pytest.mark.parametrize('stage', ['image', 'vehicle'])
def test_training_runs_on_a_gpu(stage, data, tmp_path):
    (tmp_path / 'tiny.yaml').write_text(yaml.safe_dump({'preset': 'mini', **config_to_dict(TINY)}))
    command = ['train', stage, '--data', *map(str, data), '--config', str(tmp_path / 'tiny.yaml'), '--device', 'cuda',
               '--out', str(tmp_path / 'run')]
    assert main([*command, '--steps', '2']) == 0
    assert main([*command, '--steps', '4']) == 0 and step_of(tmp_path / 'run') == 4
