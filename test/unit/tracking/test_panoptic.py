"""Voxels from the state of a tracker: identities are those of the boxes, and the state is all that is needed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.small_tracker import MANY, NONE, make_frame, make_tracker
from support.small_voxels import OWN_SIZES, SHAPE, SMALL_CONFIG, TRACKER_SIZES, small_grid  # noqa: F401

from cooptrack_ros.common.types import Side
from cooptrack_ros.model.occupancy.head import OccupancyHead
from cooptrack_ros.tracking.panoptic import PanopticReader, VolumeView

pytestmark = pytest.mark.usefixtures('small_grid')


def make_reader(thing_bias: float = 2.0) -> PanopticReader:
    """Return a reader with random weights that is sure of all its queries."""
    torch.manual_seed(3)
    head = OccupancyHead(SMALL_CONFIG, TRACKER_SIZES)
    torch.nn.init.constant_(head.cls.bias, thing_bias)
    return PanopticReader(head, SMALL_CONFIG, Side.VEHICLE)


def states(bias: float, count: int = 3):
    tracker = make_tracker(Side.VEHICLE, bias, SMALL_CONFIG)
    state, found = tracker.initial(), []
    for index in range(count):
        state, _ = tracker.step(state, make_frame(index))
        found.append(state)
    return found


def test_things_have_the_identities_of_the_live_tracks():
    reader, (*_, state) = make_reader(), states(MANY)
    frame = reader.read(state)
    assert frame.volume.semantics.shape == SHAPE
    assert frame.ids.tolist() == state.tracks.ids.tolist() and min(frame.ids) >= 1
    assert set(np.unique(frame.volume.instances)) <= {0, *state.tracks.ids.tolist()}
    assert frame.output.logits.shape[1] == len(state.tracks) + TRACKER_SIZES.stuff_queries


def test_without_tracks_there_is_stuff_only():
    volume = make_reader().volume(states(NONE)[-1])
    assert not volume.instances.any()


def test_the_state_alone_tells_the_volume_whenever_it_is_read():
    found, reader = states(MANY), make_reader()
    first = [reader.volume(state) for state in found]
    again = [make_reader().volume(state) for state in reversed(found)][::-1]
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one.semantics, other.semantics)
        np.testing.assert_array_equal(one.instances, other.instances)


def test_before_the_first_frame_there_is_nothing_to_read():
    with pytest.raises(ValueError, match='no image features'):
        make_reader().read(make_tracker(Side.VEHICLE, MANY, SMALL_CONFIG).initial())


def test_a_tracker_that_keeps_no_features_cannot_be_read():
    with pytest.raises(ValueError, match='its tracker keeps none'):
        make_reader().read(SimpleNamespace(bev=None, tracks=None))


def test_a_head_that_follows_its_own_things_is_refused():
    with pytest.raises(ValueError, match='things of its own'):
        PanopticReader(OccupancyHead(SMALL_CONFIG, OWN_SIZES), SMALL_CONFIG, Side.VEHICLE)


def test_a_grid_that_is_not_the_range_of_the_tracker_is_refused():
    other = replace(SMALL_CONFIG, ego_range=replace(SMALL_CONFIG.ego_range, pc_range=(0, -40, -5, 80, 40, 3)))
    with pytest.raises(ValueError, match='not the range of the tracker'):
        VolumeView(OccupancyHead(SMALL_CONFIG, TRACKER_SIZES), other, Side.VEHICLE, torch.device('cpu'))


def test_the_roadside_has_its_own_grid():
    reader = PanopticReader(OccupancyHead(SMALL_CONFIG, TRACKER_SIZES), SMALL_CONFIG, Side.ROADSIDE)
    assert reader.grid.origin[0] == 0.0
