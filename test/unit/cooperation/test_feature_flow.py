"""Received features are carried on to the time of the frame."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, central, make_frame, make_message, make_tracker

from cooptrack_ros.common.types import RoadsideMessage, Side
from cooptrack_ros.cooperation.compensation import compensate
from cooptrack_ros.cooperation.feature_flow import FeatureFlow, carry_on, flow_state

RANGE = CONFIG.infra_range.pc_range
FEATURES = ('semantic', 'motion', 'position_embedding')


def random_flow(width=CONFIG.embed_dims):
    """Return a flow that says something."""
    torch.manual_seed(0)
    flow = FeatureFlow(width, 16)
    torch.nn.init.normal_(flow.head.weight, std=0.01)
    return flow


@pytest.fixture(scope='module')
def message():
    """Return what a roadside tracker sends, the message of the frame before included; cars drive at 10 m/s."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    state, first = tracker.step(tracker.initial(), make_frame(0))
    _, second = tracker.step(state, make_frame(1))
    driving = [dataclasses.replace(o.instances, boxes=o.instances.boxes.with_(
        velocity=np.full((len(o.instances), 2), 10.0)), previous_age_s=np.zeros_like(o.instances.previous_age_s))
        for o in (first, second)]
    earlier = dataclasses.replace(make_message(driving[0]), stamp_ns=0)
    return dataclasses.replace(make_message(driving[1]), stamp_ns=100_000_000, earlier=(earlier,))


def test_at_age_zero_nothing_changes_whatever_the_weights(message):
    assert carry_on(random_flow(), message, message.stamp_ns, RANGE) is message


def test_features_and_places_go_on_with_the_age(message):
    now = carry_on(random_flow(), message, message.stamp_ns + 300_000_000, RANGE)
    assert now.stamp_ns == message.stamp_ns
    for name in FEATURES:
        before, after = getattr(message.instances, name), getattr(now.instances, name)
        assert after.shape == before.shape and after.dtype == np.float32 and not np.allclose(after, before)
    step = now.instances.boxes.centre - message.instances.boxes.centre
    extent = np.array(RANGE[3:5]) - RANGE[:2]
    moved = (now.instances.ref_points - message.instances.ref_points)[:, :2] * extent
    assert np.allclose(step[:, :2], moved, atol=1e-3) and not step[:, 2].any()


def test_beyond_a_second_a_message_is_as_it_would_be_after_one(message):
    late, later = (carry_on(random_flow(), message, message.stamp_ns + s * 10**9, RANGE) for s in (1, 3))
    np.testing.assert_array_equal(late.instances.semantic, later.instances.semantic)
    np.testing.assert_array_equal(late.instances.boxes.centre, later.instances.boxes.centre)


def test_a_message_from_ahead_is_moved_by_its_velocity_only(message):
    stamp_ns = message.stamp_ns - 40_000_000
    now, geometry = carry_on(random_flow(), message, stamp_ns, RANGE), compensate(message, stamp_ns, RANGE)
    np.testing.assert_array_equal(now.instances.boxes.centre, geometry.instances.boxes.centre)
    np.testing.assert_array_equal(now.instances.semantic, message.instances.semantic)


def test_an_untrained_flow_places_what_drives_as_geometry_does(message):
    stamp_ns = message.stamp_ns + 500_000_000
    now = carry_on(FeatureFlow(CONFIG.embed_dims), message, stamp_ns, RANGE)
    geometry = compensate(message, stamp_ns, RANGE)
    assert np.allclose(now.instances.boxes.centre, geometry.instances.boxes.centre)
    for name in FEATURES:
        np.testing.assert_array_equal(getattr(now.instances, name), getattr(message.instances, name))


def test_predecessors_are_found_by_track_id_in_any_order(message):
    def state_after(earlier=None):
        before = () if earlier is None else (dataclasses.replace(message.earlier[0], instances=earlier),)
        return flow_state(dataclasses.replace(message, earlier=before))
    earlier = message.earlier[0].instances
    state, alone = state_after(earlier), state_after()
    assert state.shape == (len(message.instances), 5 * CONFIG.embed_dims + 16) and state.dtype == np.float32
    np.testing.assert_array_equal(state, state_after(earlier[::-1]))
    others = earlier.boxes.with_(track_id=earlier.boxes.track_id + 10**6)
    np.testing.assert_array_equal(alone, state_after(dataclasses.replace(earlier, boxes=others)))
    assert not np.allclose(state, alone)


def test_features_long_ago_do_not_count_but_places_do(message):
    long_ago = dataclasses.replace(message.earlier[0], stamp_ns=message.stamp_ns - 900_000_000)
    alone = flow_state(dataclasses.replace(message, earlier=()))
    known = flow_state(dataclasses.replace(message, earlier=(long_ago,)))
    width = 5 * CONFIG.embed_dims
    np.testing.assert_array_equal(alone[:, :width], known[:, :width])
    assert np.allclose(known[:, -1], 0.9) and not alone[:, -1].any()


def test_an_empty_message_stays_empty(message):
    empty = dataclasses.replace(message, instances=message.instances[:0])
    assert len(carry_on(random_flow(), empty, empty.stamp_ns + 10**8, RANGE).instances) == 0


@pytest.mark.parametrize(('wanted', 'flow', 'carries'), [
    ('flow', random_flow(), True), ('flow', None, False), ('geometry', random_flow(), False)])
def test_the_tracker_carries_on_if_it_should_and_can(message, wanted, flow, carries):
    config = dataclasses.replace(CONFIG, method=dataclasses.replace(CONFIG.method, compensation=wanted))
    tracker = make_tracker(Side.COOPERATIVE, MANY, config)
    tracker.stages.flow = flow
    sent: RoadsideMessage = dataclasses.replace(
        message, instances=central(message.instances, 5), stamp_ns=-500_000_000, ego_from_infra=make_message(
            message.instances, shift_x=-45.0).ego_from_infra, earlier=())
    aligned = {}
    for name, kept in (('late', sent), ('now', dataclasses.replace(sent, stamp_ns=0))):
        tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), [kept],
                        observe=lambda what, value, key=name: aligned.__setitem__((key, what), value))
    late, now = aligned['late', 'aligned'].semantic, aligned['now', 'aligned'].semantic
    assert (not torch.allclose(late, now)) == carries
