"""Training runs: every stage, resume, export."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
import yaml
from support import forked
from support.configs import TINY, write_config

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import R50_BETTER
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.model.image.backbone import build_backbone
from cooptrack_ros.train import run
from cooptrack_ros.train.recipe import RECIPES
from cooptrack_ros.weights.store import open_model


def recipe(name, steps):
    """Return a named recipe of a few steps."""
    return replace(RECIPES[name], steps=steps, batch_size=2, warmup_steps=1, checkpoint_every=1)


@pytest.fixture(scope='module')
def data(scenes):
    """Return a folder with one small scene."""
    return [scenes.scene(701, 1.2, (160, 90)).parent]


@pytest.fixture(scope='module')
def pretrained(data, tmp_path_factory):
    """Return the run folder of two steps on images."""
    out = tmp_path_factory.mktemp('runs') / 'image'
    settings = recipe('mini-image', 2)
    run.train(*run.image_run(TINY, settings, data), TINY, settings, out, None)
    return out


def trained(side, name, data, out, steps, init, messages=None):
    """Train one side; return stage and loop."""
    settings = recipe(name, steps)
    stage, stream = run.tracking_run(TINY, settings, side, data, [init] if init else (), messages)
    return stage, run.train(stage, stream, TINY, settings, out, None), settings


def test_both_stages_run_and_their_weights_open_as_a_model(data, pretrained, tmp_path):
    model = tmp_path / 'model'
    for side in (Side.VEHICLE, Side.ROADSIDE):
        stage, loop, settings = trained(side, f'mini-{side.value}', data, tmp_path / side.value, 2, pretrained)
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


def test_pretrained_images_are_the_start_of_stage_one(data, pretrained, tmp_path):
    stage, _ = run.tracking_run(TINY, recipe('mini-vehicle', 1), Side.VEHICLE, data, [pretrained])
    saved = torch.load(pretrained / 'checkpoint.pt', weights_only=True)['modules']
    name = 'backbone.stem.0.weight'
    assert torch.equal(stage.network.state_dict()[name], saved[f'network.{name}'])


def test_an_interrupted_run_goes_on_where_it_was(data, pretrained, tmp_path):
    _, first, _ = trained(Side.VEHICLE, 'mini-vehicle', data, tmp_path / 'run', 2, pretrained)
    _, second, _ = trained(Side.VEHICLE, 'mini-vehicle', data, tmp_path / 'run', 3, pretrained)
    assert (first.step, second.step) == (2, 3)
    assert len((tmp_path / 'run' / 'settings.json').read_text()) > 100


def test_a_published_model_can_be_the_start(data, pretrained, tmp_path):
    stage, loop, settings = trained(Side.VEHICLE, 'mini-vehicle', data, tmp_path / 'run', 1, pretrained)
    run.export(tmp_path / 'model', stage, settings, loop, data)
    for side in (Side.VEHICLE, Side.COOPERATIVE):
        network = run.build_network(TINY, side, 0, [tmp_path / 'model'], [])
        assert torch.equal(network.query_points.weight, stage.network.query_points.weight.half().float())


def test_a_start_that_is_not_there_is_named(data, tmp_path):
    with pytest.raises(UserError, match=r'holds no checkpoint\.pt'):
        run.tracking_run(TINY, recipe('mini-vehicle', 1), Side.VEHICLE, data, [tmp_path])


def same_modules(one, other):
    """Tell whether two run folders hold the same weights and optimiser state, bit by bit."""
    a, b = (torch.load(folder / 'checkpoint.pt', weights_only=True) for folder in (one, other))
    moments = [[v for s in x['optimiser']['state'].values() for v in s.values()] for x in (a, b)]
    return (all(torch.equal(v, b['modules'][k]) for k, v in a['modules'].items())
            and all(torch.equal(x, y) for x, y in zip(*moments, strict=True)))


@pytest.mark.parametrize('stage', ['image', 'vehicle'])
def test_a_killed_run_ends_with_the_same_bits(stage, data, tmp_path):
    words = ['cooptrack', 'train', stage, '--data', *data, '--config', write_config(tmp_path), '--threads', 1,
             '--checkpoint-every', 1, '--steps', 24, '--out']
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert forked.run(*words, whole).status == 0
    # Cut inside a clip of five frames: what the slots remember has to come back too.
    training = forked.Program(*words, killed)
    try:
        while not step_of(killed) >= 3:
            assert training.process.is_alive()
    finally:
        training.process.kill()
        training.wait()
    assert 3 <= step_of(killed) < 24
    assert forked.run(*words, killed).status == 0
    assert step_of(killed) == 24 and same_modules(whole, killed)


def step_of(folder):
    """Return the step of the checkpoint in a run folder, 0 without one."""
    path = folder / 'checkpoint.pt'
    return torch.load(path, weights_only=True)['step'] if path.is_file() else 0


def test_a_time_limit_leaves_a_run_that_goes_on(data, tmp_path, capsys):
    command = ['train', 'image', '--data', *map(str, data), '--config', str(write_config(tmp_path)), '--threads', '1',
               '--steps', '2', '--out', str(tmp_path / 'run')]
    assert main([*command, '--time-limit-minutes', '0']) == 3
    assert 'the same command goes on' in capsys.readouterr().out
    assert main(command) == 0 and step_of(tmp_path / 'run') == 2
    code = json.loads((tmp_path / 'run' / 'settings.json').read_text())['code']
    assert code['torch'] == torch.__version__ and 'version' in code


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """Return a configuration file of the smallest network."""
    return write_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def calm(tmp_path_factory):
    """Return a recipe without randomness after the data: equal batches give equal steps."""
    path = tmp_path_factory.mktemp('recipe') / 'calm.yaml'
    path.write_text(yaml.safe_dump({'recipe': 'mini-vehicle', 'warmup_steps': 1, 'selection': {
        'drop_probability': 0.0, 'false_positive_ratio': 0.0}}))
    return path


def train_command(stage, data, tiny, out, *options):
    """Return the arguments of a training."""
    return ['train', stage, '--data', *map(str, data), '--config', str(tiny), '--threads', '1', '--out', str(out),
            *map(str, options)]


def weights_of(folder):
    """Return the weights of a run."""
    return torch.load(folder / 'checkpoint.pt', weights_only=True)['modules']


def test_frames_prepared_by_other_processes_give_the_same_bits(data, tiny, tmp_path):
    for workers in (0, 2):
        assert main(train_command('vehicle', data, tiny, tmp_path / str(workers), '--steps', 4, '--workers',
                                  workers)) == 0
    assert same_modules(tmp_path / '0', tmp_path / '2')


def as_torchrun_does(words):
    """Train in two processes that meet where torchrun lets them meet, without its start."""
    meeting = dist.TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    variables = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(meeting.port),
                 'TORCHELASTIC_USE_AGENT_STORE': 'True'}
    both = [forked.Program('cooptrack', *words, env={**os.environ, **variables, 'RANK': rank}) for rank in '01']
    for ended in [process.wait() for process in both]:
        assert ended.status == 0, ended.error


def test_two_processes_make_the_steps_of_one(data, tiny, calm, tmp_path):
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', '-m',
                'cooptrack_ros.cli.main']
    for steps in (3, 6):
        options = ('--recipe', calm, '--steps', steps)
        assert main(train_command('vehicle', data, tiny, tmp_path / 'one', *options)) == 0
        words = train_command('vehicle', data, tiny, tmp_path / 'two', *options)
        if steps == 3:
            as_torchrun_does(words)
        else:
            subprocess.run([*torchrun, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    one, two = weights_of(tmp_path / 'one'), weights_of(tmp_path / 'two')
    # The order of sums differs, and Adam's first steps enlarge that.
    assert max(float((one[k] - two[k]).abs().max()) for k in one if one[k].is_floating_point()) < 2e-4
    assert json.loads((tmp_path / 'two' / 'settings.json').read_text())['processes'] == 2
    steps = [json.loads(line)['step'] for line in (tmp_path / 'two' / 'log.jsonl').read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_a_batch_that_cannot_be_shared_is_refused(data, tiny, tmp_path, capsys):
    assert main(train_command('vehicle', data, tiny, tmp_path / 'run', '--steps', 1, '--batch-size', 3,
                              '--grad-accum-steps', 2)) == 2
    assert 'must be a multiple of processes (1) x grad_accum_steps (2)' in capsys.readouterr().err


@pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
def test_half_precision_trains_and_resumes(precision, data, tiny, tmp_path):
    options, found = ('--precision', precision, '--grad-accum-steps', 2), []
    # The first steps in float16 only find a scale of the loss that does not overflow.
    for steps in (4, 8):
        assert main(train_command('vehicle', data, tiny, tmp_path / 'run', '--steps', steps, *options)) == 0
        found.append(weights_of(tmp_path / 'run'))
    assert step_of(tmp_path / 'run') == 8
    early, late = found
    assert all(torch.isfinite(v).all() for v in late.values())
    for part in ('backbone.stem.0', 'decoder.reg.0.0', 'reasoner.reg.0'):
        assert not torch.equal(early[f'network.{part}.weight'], late[f'network.{part}.weight']), part


def test_an_unknown_precision_is_named(data, tiny, tmp_path, capsys):
    assert main(train_command('vehicle', data, tiny, tmp_path / 'run', '--precision', 'float8')) == 2
    assert "unknown precision 'float8'" in capsys.readouterr().err


def test_detection_is_a_start_for_stage_one(data, tiny, tmp_path):
    assert main(train_command('detection', data, tiny, tmp_path / 'det', '--side', 'roadside', '--steps', 3)) == 0
    # One step that is too small to move anything leaves the weights that training starts from.
    still = ('--steps', 1, '--learning-rate', 1e-12)
    assert main(train_command('roadside', data, tiny, tmp_path / 'side', '--init', tmp_path / 'det', *still)) == 0
    assert main(train_command('roadside', data, tiny, tmp_path / 'fresh', *still)) == 0
    detection, side, fresh = (weights_of(tmp_path / name) for name in ('det', 'side', 'fresh'))
    for part in ('backbone.stem.0', 'decoder.reg.0.0', 'reasoner.reg.0'):
        name = f'network.{part}.weight'
        torch.testing.assert_close(side[name], detection[name], atol=1e-7, rtol=0)
        # Detection has no frame before, so it leaves what reasons over several as it was.
        assert ((fresh[name] - detection[name]).abs().max() > 1e-5) == (part != 'reasoner.reg.0')


def test_a_side_belongs_to_detection(data, tiny, tmp_path, capsys):
    assert main(train_command('detection', data, tiny, tmp_path, '--steps', 1)) == 2
    assert 'needs --side vehicle or --side roadside' in capsys.readouterr().err


def test_weights_of_torchvision_are_a_start_for_the_backbone(scenes, tmp_path):
    config = replace(R50_BETTER, input_size=(96, 160), num_queries=40, bev_size=(10, 10), encoder_layers=1,
                     decoder_layers=1)
    torch.manual_seed(5)
    backbone = build_backbone(config.backbone)
    torch.save({**backbone.state_dict(), 'fc.weight': torch.zeros(3, 2048)}, tmp_path / 'resnet50.pth')
    network = run.build_network(config, Side.VEHICLE, 0, [tmp_path / 'resnet50.pth'],
                                open_datasets([scenes.scene(702, 0.6, (64, 48))]))
    assert torch.equal(network.backbone.layer4[0].conv2.weight, backbone.layer4[0].conv2.weight)


def test_scenes_are_generated_on_the_spot(tiny, tmp_path, capsys):
    command = train_command('vehicle', [tmp_path / 'scenes'], tiny, tmp_path / 'run', '--steps', 1, '--synth-scenes',
                            '703-704', '--scene-seconds', 0.5)
    assert main([*command, '--time-limit-minutes', '0']) == 3
    assert 'while scenes are generated' in capsys.readouterr().out and not (tmp_path / 'run').exists()
    assert main(command) == 0
    assert sorted(p.name for p in (tmp_path / 'scenes').iterdir()) == ['seed_000703', 'seed_000704']


def test_curves_go_to_tensorboard(data, tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    assert main(train_command('image', data, tiny, tmp_path / 'run', '--steps', 20)) == 0
    events = EventAccumulator(str(tmp_path / 'run' / 'tensorboard'))
    events.Reload()
    assert {'loss/image', 'lr', 'grad_norm'} <= set(events.Tags()['scalars'])
    logged = json.loads((tmp_path / 'run' / 'log.jsonl').read_text().splitlines()[0])
    assert events.Scalars('loss/image')[0].value == pytest.approx(logged['image'], rel=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize('stage', ['image', 'vehicle'])
def test_training_runs_on_a_gpu(stage, data, tmp_path):
    command = ['train', stage, '--data', *map(str, data), '--config', str(write_config(tmp_path)), '--device', 'cuda',
               '--out', str(tmp_path / 'run')]
    assert main([*command, '--steps', '2']) == 0
    assert main([*command, '--steps', '4']) == 0 and step_of(tmp_path / 'run') == 4


def test_a_run_does_not_go_on_with_the_messages_of_other_weights(data, pretrained, tmp_path):
    settings = recipe('mini-image', 2)
    prepared = run.image_run(TINY, settings, data)
    run.train(*prepared, TINY, settings, tmp_path, None, sender='abc')
    assert run.train(*prepared, TINY, settings, tmp_path, None, sender='abc').step == 2
    with pytest.raises(UserError, match='weights abc, not of def: choose another run folder'):
        run.train(*prepared, TINY, settings, tmp_path, None, sender='def')
