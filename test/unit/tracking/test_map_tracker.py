"""A tracker of the vehicle that gets BEV features of units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, make_frame, make_tracker

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.bev_cells import BevCells
from cooptrack_ros.model.cooperation.bev_fusion import BevFusion
from cooptrack_ros.tracking.fixed_shape.tracker import StepTracker
from cooptrack_ros.tracking.map_stages import MapTracker, PlacedCells

COUNT = CONFIG.bev_size[0] * CONFIG.bev_size[1]


def cells(seed, count=COUNT):
    features = np.random.default_rng(seed).normal(size=(count, CONFIG.embed_dims)).astype(np.float32)
    return PlacedCells(BevCells(CONFIG.bev_size, np.arange(count), features), np.eye(4))


def map_tracker(weight=0.3):
    """Return a tracker whose fusion counts."""
    torch.manual_seed(2)
    fusion = BevFusion(CONFIG)
    torch.nn.init.normal_(fusion.layers[-1].weight, std=weight)
    return MapTracker(make_tracker(Side.VEHICLE, MANY), fusion)


def run(tracker, *frames):
    """Return the states and outputs of frames, each with what was received (or nothing to give)."""
    state, found = tracker.initial(), []
    for i, received in enumerate(frames):
        state, output = tracker.step(state, make_frame(i), received)
        found.append((state, output))
    return found


def test_without_features_of_units_it_is_the_vehicles_tracker():
    alone, plain = run(map_tracker(), (), ()), run(make_tracker(Side.VEHICLE, MANY), (), ())
    for (_, mine), (_, other) in zip(alone, plain, strict=True):
        assert np.array_equal(mine.tracks.centre, other.tracks.centre)
        assert np.array_equal(mine.tracks.track_id, other.tracks.track_id)


def test_features_of_units_change_what_is_found_but_not_what_the_vehicle_remembers_of_its_own():
    alone, helped = run(map_tracker(), ()), run(map_tracker(), [cells(0)])
    assert not np.allclose(alone[0][1].detections.score, helped[0][1].detections.score)
    assert not torch.allclose(alone[0][0].bev, helped[0][0].bev)
    assert torch.equal(alone[0][0].remembered_bev, helped[0][0].remembered_bev)


def zeros(count):
    return PlacedCells(BevCells(CONFIG.bev_size, np.arange(count), np.zeros((count, CONFIG.embed_dims), np.float32)),
                       np.eye(4))


def test_units_are_fused_one_after_another_and_cells_that_were_not_sent_are_zeros():
    one, two = run(map_tracker(), [cells(0)]), run(map_tracker(), [cells(0), cells(1)])
    assert not torch.allclose(one[0][0].bev, two[0][0].bev)
    assert torch.equal(run(map_tracker(), [zeros(0)])[0][0].bev, run(map_tracker(), [zeros(COUNT)])[0][0].bev)


def test_a_frame_of_fixed_shapes_is_refused():
    network = make_tracker(Side.VEHICLE, MANY).network
    with pytest.raises(UserError, match="execution 'graph' does not have"):
        MapTracker(StepTracker(network, CONFIG, Side.VEHICLE), BevFusion(CONFIG))
