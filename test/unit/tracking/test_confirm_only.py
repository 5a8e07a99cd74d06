"""A unit that may only confirm takes part in what the vehicle sees, and adds nothing."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker
from test_late_fusion import cars

from cooptrack_ros.common.types import Boxes, FrameOutput, InstanceSet, RoadsideMessage, Side
from cooptrack_ros.cooperation.instance_filter import distinct
from cooptrack_ros.cooperation.late_fusion import LateTracker
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.tracking.ego_agent import EgoAgent


@pytest.fixture(scope='module')
def instances():
    """Return what a roadside tracker with random weights sends."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    return tracker.step(tracker.initial(), make_frame(0))[1].instances


def fused(instances, threshold, may_create, fusion_stage='after_decoder'):
    """Return the tracks of one cooperative frame, and what was fused in it."""
    method = dataclasses.replace(CONFIG.method, fusion_stage=fusion_stage)
    config = dataclasses.replace(CONFIG, method=method, tracker_cooperative=dataclasses.replace(
        CONFIG.tracker_cooperative, output_threshold=threshold))
    tracker, seen = make_tracker(Side.COOPERATIVE, MANY, config), {}
    message = dataclasses.replace(make_message(instances[:10]), may_create=may_create)
    tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), [message],
                    observe=lambda name, value: seen.setdefault(name, value))
    return seen['fused']


def test_what_the_vehicle_does_not_see_takes_nothing_in(instances):
    fusion = fused(instances, 1.0, False)
    assert bool((fusion.sources.unit < 0).all()) and len(fusion.instances) == CONFIG.num_queries
    assert bool((fused(instances, 1.0, True).sources.unit >= 0).any())


def test_what_the_vehicle_sees_is_confirmed(instances):
    fusion = fused(instances, 0.0, False)
    rows = fusion.sources.unit >= 0
    assert bool(rows.any())
    # Every row that something was fused into was one of the vehicle's own.
    assert not bool(torch.isnan(fusion.sources.own_points).any())


def test_its_instances_do_not_join_as_queries(instances):
    fusion = fused(instances, 0.0, False, 'before_decoder')
    assert bool((fusion.sources.unit < 0).all())


class OneCar:
    """A tracker that sees one car at (10, 0)."""

    def initial(self):
        """Return no state."""

    def step(self, state, frame, messages=()):
        """Return the car."""
        tracks = cars((10, 0))
        return None, FrameOutput(frame.stamp_ns, tracks, np.ones(1, bool), tracks, InstanceSet.empty(4), (), False, {})


def boxes_of(*xy, score=0.8, unit='u', may_create=True):
    """Return a message that holds cars and no features."""
    boxes, none = cars(*xy, score=score), np.zeros((len(xy), 0), np.float32)
    points = np.zeros((len(xy), 3), np.float32)
    values = {f.name: points for f in dataclasses.fields(InstanceSet)} | {
        'boxes': boxes, 'semantic': none, 'motion': none, 'position_embedding': none,
        'previous_age_s': np.zeros(len(xy), np.float32)}
    return RoadsideMessage(unit, 0, InstanceSet(**values), np.eye(4), may_create=may_create)


@pytest.mark.parametrize(('may_create', 'expected'), [(True, 2), (False, 1)])
def test_late_fusion_shows_its_own_objects_only_with_trust(may_create, expected):
    agent = EgoAgent(OneCar(), LateTracker())
    for index in range(5):
        message = boxes_of((10.2, 0), (40, 10), may_create=may_create)
        result = agent.step(
            make_frame(index), Received(late=(dataclasses.replace(message, stamp_ns=index * 100_000_000),)))
    assert len(result.tracks) == len(result.detections) == expected
    assert [m.infra_index for m in result.matches] == [0]


def test_a_box_of_it_never_pushes_out_that_of_another_unit():
    trusted, other = boxes_of((40, 10), score=0.3, unit='a'), boxes_of((40.5, 10), score=0.9, unit='b')
    assert [k.tolist() for k in distinct([trusted, other])] == [[False], [True]]
    other = dataclasses.replace(other, may_create=False)
    assert [k.tolist() for k in distinct([trusted, other])] == [[True], [False]]


def test_no_late_message_is_as_before():
    agent = EgoAgent(OneCar(), LateTracker())
    assert len(agent.step(make_frame(0)).tracks) == 1
    assert isinstance(agent.step(make_frame(1), Received(late=(boxes_of(may_create=False),))).tracks, Boxes)
