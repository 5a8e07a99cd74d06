"""The fast network in 8-bit integers: how close it is, and what it needs to know of its model."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from support import configs
from support.small_tracker import make_frame
from torch import nn

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.config import R50, BackboneConfig
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.fast.calibrate import RangeCalibrator
from cooptrack_ros.model.fast.int8 import Grid, Int8Conv, Int8FeedForward, Int8Linear
from cooptrack_ros.model.fast.int8_vision import int8_vision, vision_graph
from cooptrack_ros.model.image.backbone import build_backbone
from cooptrack_ros.model.image.neck import Neck
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.execution import make_tracker
from cooptrack_ros.weights.int8_ranges import activation_ranges, load_ranges, ranges_file, save_ranges
from cooptrack_ros.weights.store import open_model, save_side

SMALL = dataclasses.replace(configs.SMALL, input_size=(96, 160))
LARGE = dataclasses.replace(
    R50, input_size=(96, 160), num_queries=30, bev_size=(8, 10), reasoning_ffn_dims=256, ffn_dims=256,
    encoder_layers=1, decoder_layers=2, dropout=0.0, backbone=BackboneConfig(blocks=(1, 2, 1, 1)))
"""As wide as the published network, so that linear layers are in integers too."""


def network_of(config, side: Side = Side.VEHICLE) -> CoopTrackNetwork:
    """Return a network with random weights and batch-norm statistics."""
    torch.manual_seed(3)
    network = CoopTrackNetwork(config, side).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    nn.init.normal_(network.query_features.weight)
    return network


def ranges_of(network: CoopTrackNetwork):
    """Return the ranges of a few frames."""
    return activation_ranges(network, network.config, network.side, [map(make_frame, range(3))])


def relative(ours: torch.Tensor, exact: torch.Tensor) -> float:
    """Return the size of the difference beside that of the exact values."""
    return float((ours - exact).norm() / exact.norm())


@pytest.mark.parametrize('low, high', [(0.0, 6.0), (-1.5, 3.0), (-2.0, -1.0), (0.0, 0.0)])
def test_codes_say_every_number_of_their_range_to_half_a_step_and_zero_exactly(low, high):
    grid = Grid.of(low, high)
    x = torch.linspace(low, high, 1000)
    back = (grid.quantize(x).float() - grid.zero) * grid.scale
    assert float((back - x).abs().max()) <= 0.51 * grid.scale + abs(min(high, 0.0)) * 1e-6
    assert grid.quantize(torch.zeros(1)).item() == grid.zero
    assert grid.quantize(torch.tensor([-1e9, 1e9])).tolist() == [0, 255]


@pytest.mark.parametrize('signed', [False, True])
@pytest.mark.parametrize('adds', [False, True])
@torch.inference_mode()
def test_a_convolution_with_sum_and_relu_is_one_operation(signed, adds):
    torch.manual_seed(0)
    conv = nn.Conv2d(24, 40, 3, 2, 1)
    x, other = torch.rand(2, 24, 14, 18) - (0.4 if signed else 0), torch.randn(2, 40, 7, 9)
    exact = conv(x) + (other if adds else 0)
    exact = exact if signed else exact.relu()
    source, added, target = (Grid.of(float(v.min()), float(v.max())) for v in (x, other, exact))
    layer = Int8Conv(conv, source, target, not signed, added if adds else None)
    codes = layer(x, *([added.quantize(other).contiguous(memory_format=torch.channels_last)] if adds else []))
    assert codes.dtype == torch.uint8
    assert relative((codes.float() - target.zero) * target.scale, exact) < 0.03


@torch.inference_mode()
def test_linear_layers_take_numbers_and_give_numbers():
    torch.manual_seed(0)
    exact = CoopTrackNetwork(LARGE, Side.VEHICLE).eval().decoder.layers[0].ffn
    x = torch.randn(1, 50, LARGE.embed_dims)
    hidden = exact.inner(x).relu()
    source = Grid.of(float(x.min()), float(x.max()))
    layers = Int8FeedForward(exact, source, Grid.of(0.0, float(hidden.max())))
    assert relative(layers(x) - x, exact(x) - x) < 0.03
    assert relative(Int8Linear(exact.inner.weight, exact.inner.bias, source)(x), exact.inner(x)) < 0.03


@pytest.mark.parametrize('kind, widths', [('resnet', (8, 16, 24, 32)), ('compact', (16, 24, 32, 48))])
@torch.inference_mode()
def test_backbone_and_neck_are_close_to_float32_on_images_that_were_not_measured(kind, widths):
    network = network_of(dataclasses.replace(SMALL, backbone=BackboneConfig(kind, widths, (2, 2, 1, 1), 16)))
    ranges = ranges_of(network)
    vision = int8_vision(vision_graph(network.backbone, network.neck), ranges)
    images = torch.randn(2, 3, 96, 160)
    exact = network.neck(network.backbone(images))
    features = vision(images)
    assert features.dtype == torch.float32
    assert 0 < relative(features, exact) < 0.15


def test_a_backbone_of_other_layers_is_refused():
    backbone = build_backbone(BackboneConfig('convnext', (16, 32, 48, 64), (1, 1, 1, 1))).eval()
    graph = vision_graph(backbone, Neck(64, 32))
    names = {node.name: (-1.0, 1.0) for node in graph.graph.nodes}
    with pytest.raises(UserError, match="'int8' knows backbones of convolutions only"):
        int8_vision(graph, {**names, 'image': (-1.0, 1.0)})


@pytest.mark.parametrize('config', [SMALL, LARGE], ids=['small', 'large'])
def test_a_tracker_in_integers_sees_about_what_the_fast_one_sees(config):
    network = network_of(config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ranges = ranges_of(network)
    assert ('decoder.bev' in ranges) == (config is LARGE)
    seen = {}
    for execution in ('fast', 'int8'):
        tracker = make_tracker(network, config, Side.VEHICLE, execution=execution, ranges=ranges)
        state = tracker.initial()
        # Two frames to compare; the others show that graphs can be made of all that they are made of.
        for index in (0, 1) if execution == 'fast' else (0, 1, 2, 3, 4, 5, 0, 1):
            seen[execution] = {}
            state, _ = tracker.advance(
                state, tracker.prepare(make_frame(index)), observe=seen[execution].__setitem__)
    fast, integers = seen['fast'], seen['int8']
    assert 0 < relative(integers['features'], fast['features']) < 0.15
    assert relative(integers['bev'], fast['bev']) < 0.15
    assert relative(integers['decoded'].boxes, fast['decoded'].boxes) < 0.15
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_measuring_changes_nothing_of_what_a_network_gives():
    network = network_of(SMALL)
    calibration = RangeCalibrator(network)
    images = torch.randn(1, 1, 3, 96, 160)
    with torch.inference_mode():
        torch.testing.assert_close(
            calibration.network.image_features(images), network.image_features(images), atol=1e-4, rtol=1e-4)
    low, high = calibration.ranges()['image']
    assert images.min() <= low < -2 and 2 < high <= images.max()


def test_integers_are_for_cpus():
    with pytest.raises(UserError, match="'int8' is for device 'cpu', not 'cuda:0'"):
        make_tracker(network_of(SMALL), SMALL, Side.VEHICLE, 'cuda:0', 'int8')


def test_ranges_of_another_network_are_reported_by_what_they_lack():
    with pytest.raises(UserError, match="they lack 'image'"):
        make_tracker(network_of(SMALL), SMALL, Side.VEHICLE, execution='int8', ranges={})


@pytest.fixture
def model(tmp_path):
    """Return the folder of a stored model with a vehicle side."""
    save_side(tmp_path / 'model', SMALL, Side.VEHICLE, network_of(SMALL), {'steps': 1})
    return tmp_path / 'model'


@pytest.fixture(scope='module')
def scene(scenes):
    """Return a folder of six frames of vehicle and unit."""
    return scenes.scene(20001, 0.6, (160, 90))


def test_stored_ranges_come_back_for_the_weights_that_they_were_made_for(model):
    package = open_model(str(model))
    ranges = ranges_of(package.network(Side.VEHICLE))
    save_ranges(model, Side.VEHICLE, package.weights_sha256(Side.VEHICLE), ranges, {'frames': 3})
    assert package.ranges(Side.VEHICLE) == ranges
    tracker = package.tracker(Side.VEHICLE, execution='int8')
    _, output = tracker.step(tracker.initial(), make_frame(0))
    assert np.isfinite(output.detections.centre).all()


def test_missing_wrong_and_foreign_ranges_name_the_file_and_the_command(model):
    package = open_model(str(model))
    remedy = f'cooptrack weights quantize --weights {model}'
    with pytest.raises(UserError, match=f'vehicle.int8.json is missing.*{remedy}'):
        package.tracker(Side.VEHICLE, execution='int8')
    save_ranges(model, Side.VEHICLE, '0' * 64, {'image': (-1.0, 1.0)}, {})
    with pytest.raises(UserError, match=f'vehicle.int8.json is for other weights.*{remedy}'):
        package.tracker(Side.VEHICLE, execution='int8')
    path = ranges_file(model, Side.VEHICLE)
    for content in ('{', '[]', '{"weights_sha256": "0", "ranges": 3}',
                    '{"weights_sha256": "0", "ranges": {"image": [1, -1]}}',
                    '{"weights_sha256": "0", "ranges": {"image": [1, NaN]}}'):
        path.write_text(content)
        with pytest.raises(UserError, match=f'vehicle.int8.json holds no activation ranges.*{remedy}'):
            load_ranges(model, Side.VEHICLE, '0')
    with pytest.raises(UserError, match="needs a stored model"):
        open_model('random:mini').tracker(Side.VEHICLE, execution='int8')


def test_the_command_measures_every_side_of_a_model(model, scene, capsys):
    save_side(model, SMALL, Side.ROADSIDE, network_of(SMALL, Side.ROADSIDE), {'steps': 1})
    assert main(['weights', 'quantize', '--weights', str(model), '--data', str(scene), '--frames', '6']) == 0
    assert 'vehicle.int8.json' in capsys.readouterr().out
    content = json.loads((model / 'roadside.int8.json').read_text())
    assert content['origin']['frames'] == 8 and 'image' in content['ranges']
    for side in (Side.VEHICLE, Side.ROADSIDE):
        tracker = open_model(str(model)).tracker(side, execution='int8')
        tracker.step(tracker.initial(), make_frame(0))


@pytest.mark.parametrize('options, words', [
    (['--weights', 'random:mini', '--data', '.'], 'has no files to go with'),
    (['--weights', 'mini', '--data', '.', '--frames', '0'], '--frames is 0')])
def test_impossible_commands_are_refused(options, words, capsys):
    assert main(['weights', 'quantize', *options]) == 2
    assert words in capsys.readouterr().err
