"""Trackers with a point cloud branch: the gate, what is remembered, frames without one of the sensors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.configs import OBLONG
from support.small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.eval.studies import RememberingTracker, StudyStages
from cooptrack_ros.model.lidar.branch import LidarBranch
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.sizes import LidarSizes, named_branch
from cooptrack_ros.tracking.execution import make_tracker as make_executed
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.weights.store import open_model

SIZES = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)


def cloud(seed=0, count=300):
    random = np.random.default_rng(seed)
    return random.uniform([-50, -50, -3, 0], [50, 50, 2, 1], (count, 4)).astype(np.float32)


def branch(config=CONFIG, gate=0.0, sizes=SIZES, side=Side.VEHICLE):
    torch.manual_seed(1)
    made = LidarBranch(config, side, sizes, gate)
    torch.nn.init.normal_(made.missing)
    return made


def with_branch(gate, sizes=SIZES, execution='reference'):
    network = make_tracker(Side.VEHICLE, MANY).network
    return AgentTracker(network, CONFIG, Side.VEHICLE, execution=execution, lidar=branch(gate=gate, sizes=sizes))


def frame(index, seed=None, images=True):
    made = make_frame(index)
    if not images:
        made = replace(made, images=(), img_from_lidar=np.zeros((0, 4, 4)))
    return replace(made, cloud=None if seed is None else cloud(seed))


def run(tracker, frames):
    state, outputs = tracker.initial(), []
    for one in frames:
        state, output = tracker.step(state, one)
        outputs.append(output)
    return state, outputs


def same(a, b):
    return all(np.array_equal(getattr(x.tracks, n), getattr(y.tracks, n)) for x, y in zip(a, b, strict=True)
               for n in ('centre', 'size', 'yaw', 'velocity', 'score', 'label', 'track_id'))


@pytest.mark.parametrize('execution', ['reference', 'fast'])
def test_with_the_gate_at_zero_it_is_the_camera_tracker_to_the_last_bit(execution):
    frames = [frame(k, seed=k) for k in range(3)]
    camera = AgentTracker(make_tracker(Side.VEHICLE, MANY).network, CONFIG, Side.VEHICLE, execution=execution)
    state, outputs = run(with_branch(0.0, execution=execution), frames)
    alone, expected = run(camera, frames)
    assert same(outputs, expected) and len(expected[-1].tracks)
    assert torch.equal(state.bev, alone.bev) and torch.equal(state.tracks.semantic, alone.tracks.semantic)


def test_with_the_weights_of_mini_and_the_gate_at_zero_it_is_mini_to_the_last_bit():
    package = open_model('mini')
    config, (_, sizes) = package.config, named_branch('mini_lidar')
    network = package.network(Side.VEHICLE)
    camera, both = (AgentTracker(network, config, Side.VEHICLE, execution='fast', lidar=lidar)
                    for lidar in (None, branch(config, 0.0, sizes)))
    frames = [frame(k, seed=k) for k in range(2)]
    (state, outputs), (alone, expected) = run(both, frames), run(camera, frames)
    assert same(outputs, expected) and torch.equal(state.bev, alone.bev)
    assert np.array_equal(outputs[-1].detections.score, expected[-1].detections.score)


def test_what_a_unit_sends_carries_what_its_cloud_showed():
    network = make_tracker(Side.ROADSIDE, MANY).network
    unit = AgentTracker(network, CONFIG, Side.ROADSIDE, lidar=branch(gate=0.5, side=Side.ROADSIDE))
    one, other = (run(unit, [frame(0, seed=seed)])[1][0].instances for seed in (1, 2))
    assert one.semantic.shape == other.semantic.shape and not np.array_equal(one.semantic, other.semantic)
    ego = make_tracker(Side.COOPERATIVE, MANY)
    _, output = ego.step(ego.initial(), frame(0), [make_message(one)])
    assert len(output.tracks)


def test_with_the_gate_open_the_cloud_counts_and_the_memory_is_that_of_the_camera():
    frames = [frame(k, seed=k) for k in range(2)]
    state, outputs = run(with_branch(0.5), frames)
    camera, expected = run(make_tracker(Side.VEHICLE, MANY), frames)
    assert not same(outputs, expected)
    assert torch.equal(state.remembered_bev, camera.bev) and not torch.equal(state.bev, camera.bev)
    other, _ = run(with_branch(0.5), [frame(0, seed=5), frame(1, seed=1)])
    assert torch.equal(other.remembered_bev, state.remembered_bev)


def test_with_a_fused_memory_clouds_of_the_past_count():
    sizes = replace(SIZES, memory='fused')
    states = [run(with_branch(0.5, sizes), [frame(0, seed=seed), frame(1, seed=1)])[0] for seed in (5, 6)]
    assert torch.equal(states[0].remembered_bev, states[0].bev)
    assert not torch.equal(states[0].bev, states[1].bev)
    with pytest.raises(UserError, match='memory must be camera or fused'):
        replace(SIZES, memory='both')


def test_a_missing_cloud_and_a_missing_image_stop_nothing():
    tracker = with_branch(0.5)
    frames = [frame(0, seed=0), frame(1), frame(2, seed=2, images=False), frame(3, images=False), frame(4, seed=4)]
    _, outputs = run(tracker, frames)
    assert all(len(output.tracks) and np.isfinite(output.tracks.centre).all() for output in outputs)
    with pytest.raises(ValueError, match='a frame needs one projection per image'):
        make_tracker(Side.VEHICLE, MANY).step(tracker.initial(), frames[2])


def test_without_images_the_learned_start_of_the_cells_takes_the_place_of_the_camera():
    tracker = with_branch(0.5)
    state, _ = run(tracker, [frame(0, seed=3, images=False)])
    table = tracker.network.bev_encoder.queries.weight[None]
    with torch.inference_mode():
        expected = tracker.stages.lidar(table, [torch.from_numpy(cloud(3))])
    assert torch.equal(state.remembered_bev, table) and torch.equal(state.bev, expected)


@pytest.mark.parametrize('points', [cloud(count=0), cloud(count=1), cloud() + 1e6, np.full((5, 4), 3e38, np.float32)])
def test_clouds_that_show_nothing_are_no_error(points):
    _, outputs = run(with_branch(0.5), [replace(frame(0), cloud=points)])
    assert np.isfinite(outputs[0].tracks.centre).all()


def test_rows_of_the_map_are_y_and_columns_x():
    """A cloud changes the BEV features around it most."""
    made = branch(OBLONG, 1.0).eval()
    spot = np.tile(np.array([[30.0, -20.0, 0.0, 1.0]], np.float32), (50, 1))
    with torch.inference_mode():
        change = (made.cloud_bev([torch.from_numpy(spot)]) - made.cloud_bev([torch.zeros(0, 4)])).abs().sum(-1)
    rows, columns = OBLONG.bev_size
    row, column = divmod(int(change.argmax()), columns)
    assert abs(row - (-20 + 51.2) / 102.4 * rows) < 2 and abs(column - (30 + 51.2) / 102.4 * columns) < 2


def test_a_batch_may_lack_some_clouds():
    made = branch().eval()
    with torch.inference_mode():
        clouds = [torch.from_numpy(cloud(1)), None, torch.from_numpy(cloud(2, 40))]
        found = made.cloud_bev(clouds)
        torch.testing.assert_close(found[2], made.cloud_bev(clouds[2:])[0])
        assert torch.equal(found[1], made.missing) and torch.equal(made.cloud_bev([None])[0], made.missing)


def test_the_gate_learns_first_then_the_encoder():
    made = branch(gate=0.0)
    camera = torch.randn(1, CONFIG.bev_size[0] * CONFIG.bev_size[1], CONFIG.embed_dims)
    made(camera, [torch.from_numpy(cloud())]).square().sum().backward()
    assert made.gate.grad.abs() > 0 and made.encoder.pillars.linear.weight.grad.abs().sum() == 0


def test_a_pretrained_encoder_fits_the_branch_of_either_side():
    made = branch(side=Side.ROADSIDE)
    encoder = PillarEncoder(made.encoder.grid, SIZES)
    made.encoder.load_state_dict(encoder.state_dict())
    assert made.encoder.grid.low[0] == 0.0


def test_studies_know_frames_with_their_clouds():
    tracker = with_branch(0.5)
    StudyStages.put_into(tracker)
    known = {}
    frames = [frame(k, seed=k) for k in range(2)]
    first = run(RememberingTracker(tracker, known), frames)[1]
    assert same(first, run(RememberingTracker(tracker, known), frames)[1])
    assert same(first, run(with_branch(0.5), frames)[1])


def test_execution_graph_refuses_a_branch(monkeypatch):
    monkeypatch.setattr('cooptrack_ros.tracking.execution.check_device', lambda *_: None)
    with pytest.raises(UserError, match='for cameras alone'):
        make_executed(None, CONFIG, Side.VEHICLE, execution='graph', lidar=branch())
