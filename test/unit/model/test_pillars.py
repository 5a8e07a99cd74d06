"""The encoder of point clouds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cooptrack_ros.common.config import MINI, R50
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.lidar.encoder import PillarEncoder
from cooptrack_ros.model.lidar.pillars import Clouds, PillarGrid, PillarNet
from cooptrack_ros.model.lidar.sizes import MINI_LIDAR, V2X, LidarSizes, named_branch

GRID = PillarGrid((-8.0, -4.0, -5.0), (8.0, 12.0, 3.0), (16, 32))
SMALL = LidarSizes(4, ((1, 4), (1, 6), (1, 8)), 5)


def cloud(count, seed=0):
    random = np.random.default_rng(seed)
    return (random.uniform([-9, -5, -6, 0], [9, 13, 4, 1], (count, 4))).astype(np.float32)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return PillarEncoder(GRID, SMALL).eval()


def test_axes_are_those_of_bev_features():
    net = PillarNet(GRID, 4).eval()
    torch.nn.init.ones_(net.linear.weight)
    found = net(Clouds.of([np.array([[7.9, -3.9, 0, 1]], np.float32)]))
    assert found.shape == (1, 4, 16, 32)
    # The last column along x, the first row along y.
    assert found[0].sum(0).nonzero().tolist() == [[0, 31]]


@pytest.mark.parametrize(('config', 'side', 'step'), [
    (R50, Side.VEHICLE, 0.256), (R50, Side.ROADSIDE, 0.256), (MINI, Side.COOPERATIVE, 0.32)])
def test_eight_pillars_lie_along_a_bev_cell(config, side, step):
    grid = PillarGrid.of(config, side)
    assert grid.shape == tuple(8 * n for n in config.bev_size)
    assert grid.step == pytest.approx((step, step)) and grid.low[0] == config.range_of(side).pc_range[0]


def test_a_pillar_has_the_largest_features_of_its_points_however_many():
    net = PillarNet(GRID, 4).eval()
    points = cloud(40)
    points[:, :3] = np.random.default_rng(1).uniform([0.0, 0, -1], [0.5, 1, 1], (40, 3))
    clouds = Clouds.of([points])
    features = torch.relu(net.norm(net.linear(net._features(*net._placed(clouds)))))
    found = net(clouds)[0, :, 4, 16]
    assert torch.equal(found, features.max(0).values) and found.max() > 0


def test_what_a_point_tells_by_hand():
    net = PillarNet(GRID, 4)
    points = np.array([[0.1, 0.2, 1.0, 0.5], [0.3, 0.6, 2.0, 0.0]], np.float32)
    found = net._features(*net._placed(Clouds.of([points])))
    # Middle (0, 4, -1), half range (8, 8, 4); the pillar has its centre at (0.25, 0.5), the mean is (0.2, 0.4, 1.5).
    expected = [0.1 / 8, -3.8 / 8, 2 / 4, 0.5, -0.4, -0.4, -0.5, -0.6, -0.6]
    torch.testing.assert_close(found[0], torch.tensor(expected))


def test_several_clouds_at_once_are_as_each_alone(encoder):
    clouds = [cloud(300, 1), cloud(0), cloud(50, 2)]
    together = encoder(Clouds.of(clouds))
    assert together.shape == (3, 15, 4, 8)
    for found, points in zip(together, clouds):
        torch.testing.assert_close(found, encoder(Clouds.of([points]))[0])


def test_points_out_of_range_and_their_order_do_not_matter(encoder):
    points = cloud(200)
    kept = points[GRID.inside(points)]
    assert 0 < len(kept) < 200
    torch.testing.assert_close(encoder(Clouds.of([points])), encoder(Clouds.of([kept[::-1]])))
    edge = np.nextafter(np.float32(8.0), np.float32(0))
    assert torch.isfinite(encoder(Clouds.of([np.array([[edge, 11.9, 0, 1]], np.float32)]))).all()


@pytest.mark.parametrize('count', [0, 1, 300])
def test_clouds_of_any_size_have_gradients_or_none_but_never_an_error(encoder, count):
    encoder.train()
    points = cloud(count)
    points[:, :3] *= 0.3
    encoder(Clouds.of([points, points])).sum().backward()
    gradient = encoder.pillars.linear.weight.grad
    assert (gradient is None) == (count == 0) and all(
        torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_no_weight_depends_on_the_grid(encoder):
    other = PillarEncoder(replace(GRID, shape=(32, 64)), SMALL)
    other.load_state_dict(encoder.state_dict())


def test_sizes_are_those_stated():
    with torch.device('meta'):
        values = {sizes: sum(p.numel() for p in PillarEncoder(PillarGrid.of(R50, Side.VEHICLE), sizes).parameters())
                  for sizes in (V2X, MINI_LIDAR)}
    assert 3e6 < values[V2X] < 4e6
    # As float16, together with what joins it to the tracker, at most 4 MB.
    assert 2 * values[MINI_LIDAR] < 1e6


def test_a_branch_is_named_by_itself_or_by_its_tracker():
    assert named_branch('mini') == named_branch('mini_lidar') == (MINI, MINI_LIDAR)
    with pytest.raises(UserError, match='known: mini_lidar, r50_lidar'):
        named_branch('r101')
