"""BEV features of a unit in the vehicle's grid: exact by the pose, zero where they end; and the fusion block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.configs import OBLONG
from support.small_tracker import CONFIG

from cooptrack_ros.common.geometry import make_pose, rotation_z
from cooptrack_ros.model.cooperation.bev_fusion import BevFusion, warp, warp_grid


def tilted(random):
    """Return a pose of a unit on a pole: any heading, some roll and pitch, near enough that its grid is seen."""
    a, b = random.uniform(-0.2, 0.2, 2)
    pitch = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    roll = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return make_pose(rotation_z(random.uniform(-np.pi, np.pi)) @ pitch @ roll, random.uniform(-30, 30, 3) * [1, 1, 0.2])


def bilinear(config, pose, hot):
    """Return by hand (rows, columns) what the vehicle gets of one hot cell of a unit."""
    rows, columns = config.bev_size
    ego, infra = config.ego_range.pc_range, config.infra_range.pc_range
    found = np.zeros((rows, columns))
    for r, c in np.ndindex(rows, columns):
        centre = [ego[0] + (c + 0.5) * (ego[3] - ego[0]) / columns, ego[1] + (r + 0.5) * (ego[4] - ego[1]) / rows, 0, 1]
        x, y, _, _ = np.linalg.solve(pose, centre)
        column = (x - infra[0]) / (infra[3] - infra[0]) * columns - 0.5
        row = (y - infra[1]) / (infra[4] - infra[1]) * rows - 0.5
        found[r, c] = max(0, 1 - abs(row - hot[0])) * max(0, 1 - abs(column - hot[1]))
    return found


@pytest.mark.parametrize('seed', range(20))
def test_one_hot_cell_lands_where_the_pose_says(seed):
    random = np.random.default_rng(seed)
    pose, (rows, columns) = tilted(random), OBLONG.bev_size
    # A cell that the vehicle's grid holds: that under a point near the vehicle.
    x, y, _, _ = np.linalg.solve(pose, [*random.uniform(-15, 15, 2), 0, 1])
    infra = OBLONG.infra_range.pc_range
    hot = (int(np.clip((y - infra[1]) / (infra[4] - infra[1]) * rows, 0, rows - 1)),
           int(np.clip((x - infra[0]) / (infra[3] - infra[0]) * columns, 0, columns - 1)))
    features = torch.zeros(1, 1, rows, columns)
    features[0, 0][hot] = 1
    found = warp(features, warp_grid(OBLONG, pose)[None])[0, 0].numpy()
    np.testing.assert_allclose(found, bilinear(OBLONG, pose, hot), atol=1e-5)


def test_most_of_these_poses_show_the_cell():
    seen = 0
    for seed in range(20):
        grid = warp_grid(OBLONG, tilted(np.random.default_rng(seed)))
        seen += bool((grid.abs() < 1).all(-1).any())
    assert seen == 20


def test_a_unit_with_the_vehicles_pose_and_range_gives_its_features_unchanged():
    same = replace(CONFIG, infra_range=CONFIG.ego_range)
    features = torch.randn(1, 3, *same.bev_size)
    torch.testing.assert_close(warp(features, warp_grid(same, np.eye(4))[None]), features, atol=1e-5, rtol=0)


def test_beyond_the_range_of_the_unit_there_is_nothing():
    pose = np.eye(4)
    pose[0, 3] = 500.0
    assert not warp(torch.ones(1, 2, *CONFIG.bev_size), warp_grid(CONFIG, pose)[None]).any()


def fusion():
    """Return one whose last layer is not 0."""
    torch.manual_seed(0)
    made = BevFusion(CONFIG).eval()
    torch.nn.init.normal_(made.layers[-1].weight, std=0.1)
    return made


def maps(count):
    torch.manual_seed(1)
    return torch.randn(2, count, CONFIG.bev_size[0] * CONFIG.bev_size[1], CONFIG.embed_dims)


def test_an_untrained_fusion_changes_nothing():
    ego, infra = maps(1)
    assert torch.equal(BevFusion(CONFIG)(ego, infra, [np.eye(4)]), ego)


def test_two_vehicles_in_a_batch_are_fused_as_each_alone():
    ego, infra = maps(2)
    poses = [tilted(np.random.default_rng(seed)) for seed in (1, 2)]
    both = fusion()(ego, infra, poses)
    for i, pose in enumerate(poses):
        torch.testing.assert_close(both[i:i + 1], fusion()(ego[i:i + 1], infra[i:i + 1], [pose]))


def test_gradients_reach_the_fusion_and_both_maps():
    ego, infra = maps(1).requires_grad_(True)
    made = fusion()
    made(ego, infra, [np.eye(4)]).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in made.parameters())
