"""The modes of BEV fusion: what travels, what it costs, and what the vehicle makes of it."""

from __future__ import annotations

import pytest
import torch
from support.configs import TINY, with_thresholds

from cooptrack_ros.cli.main import main
from cooptrack_ros.common.types import Side
from cooptrack_ros.data.folders import open_datasets
from cooptrack_ros.eval.channel import Channel
from cooptrack_ros.eval.ego import BEV_MODES, MODES
from cooptrack_ros.eval.runner import Evaluation
from cooptrack_ros.eval.selection import Selection
from cooptrack_ros.model.cooperation.bev_fusion import BevFusion
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.weights.bev_fusion_file import save_bev_fusion
from cooptrack_ros.weights.store import open_model, save_side
from cooptrack_ros.wire.bev_cells import send_cells

CONFIG = with_thresholds(TINY, 0.005)
WIDTH, CELLS = CONFIG.embed_dims, CONFIG.bev_size[0] * CONFIG.bev_size[1]
FRAMES = 3


@pytest.fixture(scope='module')
def data(scenes):
    """Return a folder with one small scene."""
    return scenes.scene(701, 1.2, (160, 90)).parent


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """Return a model whose fusion counts."""
    folder = tmp_path_factory.mktemp('models') / 'fusing'
    torch.manual_seed(3)
    for side in (Side.VEHICLE, Side.ROADSIDE):
        save_side(folder, CONFIG, side, CoopTrackNetwork(CONFIG, side), {})
    fusion = BevFusion(CONFIG)
    torch.nn.init.normal_(fusion.layers[-1].weight, std=0.3)
    package = open_model(str(folder))
    save_bev_fusion(package, package, fusion, {})
    return open_model(str(folder))


def run(data, model, mode, channel=None, budget=None):
    """Return boxes of a mode and their cost."""
    evaluation = Evaluation(open_datasets([data]), model, Selection(limit=FRAMES), channel=channel, bev_budget=budget,
                            send_cells=send_cells)
    result, cost = evaluation.run(mode)
    assert any(result['predictions'].values())
    return (result['predictions'], result['detections']), cost


def test_features_of_the_unit_change_the_result_and_cost_the_whole_map(data, model):
    alone, _ = run(data, model, 'none')
    fused, cost = run(data, model, 'bev_fusion')
    assert fused != alone and cost.frames == FRAMES and cost.units == {}
    assert cost.payload_bytes == FRAMES * CELLS * WIDTH * 4
    assert cost.payload_bytes < cost.serialized_bytes < 1.05 * cost.payload_bytes + 300 * FRAMES


@pytest.mark.parametrize('budget', [4 * WIDTH, 10 * 4 * WIDTH + 3])
def test_a_budget_is_kept(data, model, budget):
    _, cost = run(data, model, 'bev_fusion', budget=budget)
    assert cost.payload_bytes == FRAMES * (budget // (4 * WIDTH)) * 4 * WIDTH


def test_a_budget_for_everything_is_none(data, model):
    assert run(data, model, 'bev_fusion', budget=10 ** 9)[0] == run(data, model, 'bev_fusion')[0]


def test_lost_messages_leave_the_vehicle_alone_and_late_ones_come_with_their_place(data, model):
    lost, cost = run(data, model, 'bev_fusion', Channel(drop_rate=1.0))
    assert lost == run(data, model, 'none')[0] and cost.payload_bytes == 0
    late, cost = run(data, model, 'bev_fusion', Channel(latency_ms=100.0))
    assert late != lost and cost.payload_bytes == (FRAMES - 1) * CELLS * WIDTH * 4
    assert run(data, model, 'bev_fusion', Channel(yaw_error_deg=20.0))[0] != run(data, model, 'bev_fusion')[0]


def test_the_networks_run_once_for_both_trackers(data, model):
    evaluation = Evaluation(open_datasets([data]), model, Selection(limit=FRAMES))
    first, _ = evaluation.run('bev_fusion')
    kept = evaluation._known_fusion
    second, cost = evaluation.run('bev_fusion_ab3dmot')
    assert evaluation._known_fusion is kept and cost.frames == FRAMES
    assert first['detections'] == second['detections'] and first['predictions'] != second['predictions']


def test_all_modes_are_those_that_the_model_has_weights_for(data, model, tmp_path):
    def modes(package):
        return Evaluation(open_datasets([data]), package).modes
    assert modes(model) == modes(open_model('random:mini')) == MODES
    save_side(tmp_path / 'plain', CONFIG, Side.VEHICLE, model.network(Side.VEHICLE), {})
    save_side(tmp_path / 'plain', CONFIG, Side.ROADSIDE, model.network(Side.ROADSIDE), {})
    assert set(MODES) - set(modes(open_model(str(tmp_path / 'plain')))) == set(BEV_MODES)


@pytest.mark.parametrize(('options', 'message'), [
    (['--mode', 'none', '--bev-budget', '4000'], '--bev-budget belongs to the modes bev_fusion, bev_fusion_ab3dmot'),
    (['--mode', 'bev_fusion', '--bev-budget', '3'], f'expected at least the {4 * WIDTH} bytes of one cell'),
    (['--mode', 'bev_fusion', '--task', 'occupancy', '--bev-budget', '3'], '--bev-budget is for --task tracking'),
    (['--mode', 'bev_fusion', '--roadside', 'random:mini'], 'has no BEV fusion for its vehicle weights')])
def test_what_cannot_be_done_is_said(data, model, options, message, capsys):
    assert main(['eval', '--data', str(data), '--weights', str(model.folder), '--threads', '1', *options]) == 2
    assert message in capsys.readouterr().err
