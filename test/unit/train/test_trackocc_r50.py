"""TrackOcc in the published size: a training step and a frame; gigabytes and minutes, so only on demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.small_tracker import make_frame
from support.small_voxels import block_labels

from cooptrack_ros.common.types import Side
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.model.occupancy.head import OccupancyHead
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.tracking.own_things import ThingTracker
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.losses import combine, divisors
from cooptrack_ros.train.matching import Targets
from cooptrack_ros.train.occupancy.clips import OccupancySample
from cooptrack_ros.train.occupancy.stage import OccupancyStage
from cooptrack_ros.train.occupancy.start import head_of
from cooptrack_ros.train.occupancy.targets import voxel_targets
from cooptrack_ros.train.recipe import RECIPES


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_learns_from_a_frame_and_runs_one():
    torch.manual_seed(0)
    config, sizes = head_of('trackocc_r50', 'own', [])
    grid = GRIDS[sizes.profile].grid(Side.VEHICLE)
    network, head = CoopTrackNetwork(config, Side.VEHICLE), OccupancyHead(config, sizes)
    recipe = replace(RECIPES['paper-occupancy-own'], steps=1, epochs=0.0)
    stage = OccupancyStage(network, head, recipe)
    inputs = AgentTracker(network, config, Side.VEHICLE).prepare(make_frame(0))
    stage.modules.train()
    voxels = voxel_targets(block_labels([(3, 1, 120, 130, 95, 99), (4, 3, 140, 141, 110, 111)], grid.shape), None, grid,
                           V2X)
    none = Targets(torch.zeros(0, 10), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    terms = stage.losses([0], [OccupancySample(inputs, none, voxels=voxels)])
    sum(combine(terms, divisors(terms)).values()).backward()
    learning = {name.split('.')[0] for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert {'backbone', 'neck', 'bev_encoder'} <= learning
    assert all(torch.isfinite(p.grad).all() for p in stage.modules.parameters() if p.grad is not None)
    tracker = ThingTracker(network, head, config, Side.VEHICLE)
    _, found = tracker.step(tracker.initial(), make_frame(0))
    assert found.volume.semantics.shape == (200, 200, 16) and np.isin(found.volume.semantics, range(6)).all()
