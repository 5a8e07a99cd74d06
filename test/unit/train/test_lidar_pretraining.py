"""Pretraining of the point cloud encoder: gathering, hiding, rebuilding, and nothing of labels."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import make_pose, rotation_z, transform_points
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.pillars import PillarGrid
from cooptrack_ros.model.lidar.sizes import LidarSizes
from cooptrack_ros.train.lidar.gather import Gathering, augmented
from cooptrack_ros.train.lidar.masking import Cells, mask_cloud
from cooptrack_ros.train.lidar.measure import measure, neighbour_guess, picture_of
from cooptrack_ros.train.lidar.run import held_out_split
from cooptrack_ros.train.lidar.settings import LidarPretrainingConfig
from cooptrack_ros.train.lidar.stage import LidarStage, chamfer
from cooptrack_ros.train.lidar.stream import CloudStream
from cooptrack_ros.train.loop import TrainLoop, learning_rate
from cooptrack_ros.train.recipe import RECIPES, TrainConfig
from cooptrack_ros.weights.encoder_file import load_encoder, save_encoder

GRID = PillarGrid((-8.0, -8.0, -5.0), (8.0, 8.0, 3.0), (32, 32))
SMALL = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)
SETTINGS = LidarPretrainingConfig(points=4, max_targets=6)
RECIPE = TrainConfig(steps=6, batch_size=2, learning_rate=1e-2, warmup_steps=2, checkpoint_every=100, lidar=SETTINGS)


def cloud(count=400, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform([-9, -9, -3, 0], [9, 9, 1, 1], (count, 4)).astype(np.float32)


def sensor(points):
    return SimpleNamespace(point_cloud=SimpleNamespace(read=lambda: points))


def frames(count=4):
    return [Gathering(sensor(cloud(seed=k)), ((sensor(cloud(100, 50 + k)), np.eye(4)),)) for k in range(count)]


def make_stage(settings=SETTINGS, held_out=()):
    torch.manual_seed(0)
    return LidarStage(PillarEncoder(GRID, SMALL), replace(RECIPE, lidar=settings), held_out=held_out)


def mask(points, settings=SETTINGS, seed=0):
    return mask_cloud(points, GRID, settings, np.random.default_rng(seed))


def test_clouds_of_all_agents_lie_in_the_frame_of_the_vehicle_without_its_body():
    own = np.array([[2, 1, 0, 0.5], [3.5, 0, 0, 0.25], [0, -1.5, -1, 0]], np.float32)
    unit = np.array([[10, 0, 1, 1]], np.float32)
    pose = make_pose(rotation_z(np.pi / 2), [5, 0, 2])
    gathering = Gathering(sensor(own), ((sensor(unit), pose),))
    points, agent = gathering.read('all')
    np.testing.assert_allclose(points, [*own[1:], [5, 10, 3, 1]], atol=1e-6)
    assert agent.tolist() == [0, 0, 1] and points.dtype == np.float32
    np.testing.assert_array_equal(gathering.read('ego')[0], own[1:])


def test_augmentation_keeps_heights_and_shapes_up_to_the_scale():
    points = cloud(50)
    found = augmented(points, 1.0, 45.0, 0.05, np.random.default_rng(3))
    factor = np.linalg.norm(found[:, :2], axis=1) / np.linalg.norm(points[:, :2], axis=1)
    assert np.ptp(factor) < 1e-5 and 0.95 <= factor[0] <= 1.05 and abs(factor[0] - 1) > 1e-3
    np.testing.assert_allclose(found[:, 2], factor[0] * points[:, 2], rtol=1e-4)
    np.testing.assert_array_equal(found[:, 3], points[:, 3])
    # Mirrored: what lay left of a direction lies right of it.
    (a, b), (c, d) = points[:2, :2], found[:2, :2]
    assert np.sign(a[0] * b[1] - a[1] * b[0]) == -np.sign(c[0] * d[1] - c[1] * d[0])


@pytest.mark.parametrize('ratio', [0.1, 0.7, 0.85])
def test_the_share_of_hidden_cells_is_right_within_a_cell(ratio):
    found = mask(cloud(), replace(SETTINGS, mask_ratio=ratio))
    assert abs(len(found.cells) - ratio * len(np.unique(found.cell))) <= 0.5
    numbers = found.cells[:, 0] * 8 + found.cells[:, 1]
    assert len(np.unique(numbers)) == len(numbers) and np.isin(numbers, found.cell).all()
    assert not np.isin(Cells(GRID).numbers(found.visible), numbers).any()
    assert len(found.visible) + np.isin(found.cell, numbers).sum() == len(found.points) < len(cloud())


@pytest.mark.parametrize('points', [np.zeros((0, 4), np.float32), np.full((5, 4), 0.5, np.float32), cloud(30) + 100])
def test_a_cloud_with_nothing_to_hide_or_nothing_to_see_is_skipped(points):
    found = mask(points)
    assert not len(found.cells) and not len(found.tokens) and found.targets.shape == (0, 0, 3)


def test_targets_are_points_of_their_cell_at_most_so_many_and_none_twice():
    points = np.concatenate([cloud(3000), np.array([[7.9, 7.9, 1, 0]], np.float32)])
    found = mask(points, replace(SETTINGS, mask_ratio=0.9))
    cells, numbers = Cells(GRID), found.cells[:, 0] * 8 + found.cells[:, 1]
    assert found.counts.max() == SETTINGS.max_targets == found.targets.shape[1]
    for target, count, number in zip(found.targets, found.counts, numbers):
        own = found.points[found.cell == number, :3]
        assert count == min(len(own), 6) and len(np.unique(target[:count], axis=0)) == count
        assert (np.abs(target[:count]) <= [0.5 + 1e-5, 0.5 + 1e-5, 1]).all()
        metres = cells.centres(number) + target[:count] * cells.unit
        assert np.abs(metres[:, None] - own).sum(-1).min(1).max() < 1e-4


def test_tokens_stand_in_the_middle_of_a_cell_or_in_its_pillars():
    found = mask(cloud())
    np.testing.assert_array_equal(found.tokens, 4 * found.cells + 2)
    pillars = mask(cloud(), replace(SETTINGS, token_at='pillar'))
    assert set(map(tuple, pillars.tokens // 4)) == set(map(tuple, pillars.cells))
    hidden = pillars.points[np.isin(pillars.cell, pillars.cells[:, 0] * 8 + pillars.cells[:, 1])]
    step = np.floor((hidden[:, 1::-1] + 8) / 0.5).astype(int)
    assert set(map(tuple, pillars.tokens)) == set(map(tuple, step))


@pytest.mark.parametrize(('real', 'l2', 'l1'), [
    ([(0, 0, 0), (1, 1, 0), (3, 0, 0)], 1.5, 1.5), ([(0, 0, 0), (2, 1, 0)], 1.20711, 1.5)])
def test_chamfer_has_the_golden_values(real, l2, l1):
    predicted = torch.tensor([[(0.0, 0, 0), (1, 0, 0)]])
    padded = torch.tensor([[*real, (0.0, 0, 0), (9, 9, 9)]], dtype=torch.float32)
    counts = torch.tensor([len(real)])
    for distance, value in (('l2', l2), ('l1', l1)):
        torch.testing.assert_close(chamfer(predicted, padded, counts, distance), torch.tensor([value]), atol=1e-5,
                                   rtol=0)


@pytest.mark.parametrize('token_at', ['cell', 'pillar'])
def test_moving_a_hidden_point_changes_nothing_but_the_loss(token_at):
    stage = make_stage(replace(SETTINGS, token_at=token_at, max_targets=400))
    stage.modules.eval()
    points = cloud()
    before = mask(points, replace(SETTINGS, token_at=token_at, max_targets=400))
    hidden = np.isin(before.cell, before.cells[:, 0] * 8 + before.cells[:, 1])
    moved = before.points.copy()
    moved[hidden, 2] = -moved[hidden, 2] - 2
    moved[hidden, 3] = 1 - moved[hidden, 3]
    after = mask(moved, replace(SETTINGS, token_at=token_at, max_targets=400))
    np.testing.assert_array_equal(before.cells, after.cells)
    assert torch.equal(stage.rebuild([before]), stage.rebuild([after]))
    values = [stage.losses([0], [m])[0]['chamfer'].value.item() for m in (before, after)]
    assert abs(values[0] - values[1]) > 1e-3


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_the_token_and_every_weight_learn(precision):
    torch.manual_seed(0)
    stage = LidarStage(PillarEncoder(GRID, SMALL), replace(RECIPE, precision=precision))
    term = stage.losses([0, 1], [mask(cloud(seed=1)), mask(cloud(seed=2))])[0]['chamfer']
    assert term.divisor == len(mask(cloud(seed=1)).cells) + len(mask(cloud(seed=2)).cells)
    term.value.backward()
    for name, parameter in stage.modules.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_batch_without_hidden_cells_costs_nothing():
    term = make_stage().losses([0], [mask(np.zeros((0, 4), np.float32))])[0]['chamfer']
    term.total.backward()
    assert (term.total.item(), term.divisor) == (0.0, 0)


def test_a_run_that_was_stopped_ends_with_the_same_bits(tmp_path):
    def loop(folder):
        config = replace(RECIPE, steps=4)
        stage = make_stage()
        return stage, TrainLoop(stage, CloudStream(frames(), GRID, config), config, folder)
    whole, done = loop(tmp_path / 'whole')
    assert done.run()
    _, first = loop(tmp_path / 'parts')
    for _ in range(2):
        first._one_step()
        first.step += 1
    first.save()
    parts, second = loop(tmp_path / 'parts')
    assert second.step == 2 and second.run()
    for (name, a), b in zip(whole.modules.state_dict().items(), parts.modules.state_dict().values()):
        assert torch.equal(a, b), name


def test_samples_depend_on_slot_and_position_alone():
    stream = CloudStream(frames(), GRID, RECIPE)
    a, b = stream.sample(1, (2, 0)), stream.sample(1, (2, 0))
    np.testing.assert_array_equal(a.visible, b.visible)
    assert not np.array_equal(a.cells, stream.sample(1, (3, 0)).cells)
    positions = stream.positions(1, (4, 1))
    assert [next(positions) for _ in range(2)] == [(5, 0), (6, 0)]


def test_the_neighbour_guess_takes_points_of_the_nearest_visible_cell():
    found = mask(cloud(2000))
    cells = Cells(GRID)
    guess = neighbour_guess(found, cells, 5, np.random.default_rng(0))
    visible = np.unique(cells.numbers(found.visible))
    for row, number in zip(guess, found.cells[:, 0] * 8 + found.cells[:, 1]):
        away = np.linalg.norm(cells.centres(visible) - cells.centres(number), axis=1)
        near = visible[away < away.min() + 1e-6]
        own = cells.shares(found.points[np.isin(found.cell, near), :3], found.cell[np.isin(found.cell, near)])
        assert np.abs(row[:, None] - own).sum(-1).min(1).max() < 1e-5


def test_figures_name_cells_that_the_vehicle_does_not_see():
    held_out = [Gathering(sensor(cloud(seed=3)[cloud(seed=3)[:, 0] < 0]), ((sensor(cloud(seed=4)), np.eye(4)),))]
    stage = make_stage(held_out=held_out)
    figures = measure(stage, held_out, SETTINGS)
    assert figures['hidden_from_ego']['cells'] > 5
    assert figures['hidden_from_ego']['cells'] + figures['seen_by_ego']['cells'] == figures['all']['cells']
    assert figures['all']['quotient'] == pytest.approx(figures['all']['rebuilt_m'] / figures['all']['neighbour_m'],
                                                       abs=1e-3)
    assert figures['50 m and more'] == {'cells': 0, 'rebuilt_m': None, 'neighbour_m': None, 'quotient': None}
    assert stage.modules.training
    parts = picture_of(stage, held_out[0], SETTINGS)
    assert len(parts['predicted']) == 4 * len(parts['centres']) and len(parts['truth']) > len(parts['centres'])


def test_every_tenth_sequence_is_held_out_and_of_few_the_last():
    sequences = [[k] for k in range(21)]
    assert held_out_split(sequences)[1] == [9, 19]
    assert held_out_split(sequences[:3]) == ([0, 1], [2])
    assert held_out_split(sequences[:1]) == ([0], [])


def test_encoders_are_loaded_strictly(tmp_path):
    encoder = make_stage().encoder
    save_encoder(tmp_path / 'encoder.safetensors', encoder, {})
    other = PillarEncoder(replace(GRID, shape=(64, 64)), SMALL)
    load_encoder(tmp_path, other)
    assert all(torch.equal(a, b) for a, b in zip(encoder.state_dict().values(), other.state_dict().values()))
    for wrong in (replace(SMALL, neck_dims=6), replace(SMALL, stages=((2, 4), (1, 6), (1, 8)))):
        with pytest.raises(UserError, match=r'encoder.safetensors is no encoder of these sizes'):
            load_encoder(tmp_path, PillarEncoder(GRID, wrong))
    with pytest.raises(UserError, match='is missing: expected is the encoder'):
        load_encoder(tmp_path / 'nowhere', other)


def test_the_rate_rises_over_the_first_twentieth_of_the_run():
    recipe = RECIPES['lidar-pretraining']
    rates = [learning_rate(recipe, 1000 * k, k / 100) for k in range(101)]
    assert recipe.learning_rate == 2e-3 and rates[0] == pytest.approx(2e-3 / 3) and np.argmax(rates) == 5
    assert rates[5] > 1.98e-3 and rates[-1] == pytest.approx(2e-6)


@pytest.mark.parametrize(('key', 'value'), [('agents', 'some'), ('token_at', 'point'), ('distance', 'l3'),
                                            ('mask_ratio', 1.0), ('points', 0)])
def test_settings_that_cannot_be_are_refused(key, value):
    with pytest.raises(UserError, match=f'lidar.{key}'):
        LidarPretrainingConfig(**{key: value})


def test_transform_is_that_of_the_pair():
    """Points of a unit go where ``ego_from_infra`` says, also if it is not rigid."""
    pose = make_pose(rotation_z(0.3) * 1.01, [1, 2, 3])
    points = cloud(20)
    found, _ = Gathering(sensor(points[:0]), ((sensor(points), pose),)).read('all')
    np.testing.assert_allclose(found[:, :3], transform_points(pose, points[:, :3].astype(float)), rtol=1e-5)
