"""Heading and velocity as a state of a track."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_steps import OWN, make_network
from support.small_tracker import make_frame

from cooptrack_ros.common.geometry import rotation_z
from cooptrack_ros.common.types import Side
from cooptrack_ros.model.instances.boxes import STATE, boxes_from_codes, encode_boxes, refine_code, turn_codes
from cooptrack_ros.model.instances.track_motion import TrackMotion
from cooptrack_ros.tracking.tracker import AgentTracker
from cooptrack_ros.train.warm_start import start_track_motion

DT = 0.1
RANGE = (-50.0, -50.0, -5.0, 50.0, 50.0, 3.0)


@pytest.fixture
def motion():
    torch.manual_seed(0)
    return TrackMotion(8)


def code(x, y, yaw=0.0, velocity=(0.0, 0.0)):
    """Return the code (1, 10) of a car; yaw grows counter-clockwise."""
    return encode_boxes(torch.tensor([[x, y, -1.0, 1.9, 4.5, 1.5, -yaw - np.pi / 2, *velocity]], dtype=torch.float32))


def follow(motion, found, steps):
    """Return the state after some frames of what ``found`` gives for each."""
    state, age, features = found(0), torch.zeros(1), torch.zeros(1, 8)
    for k in range(steps):
        now = found(k)
        before = found(k - 1)[:, [0, 1, 4]]
        state = motion(state, before, age, torch.full((1,), min(k / 4, 1.0)), now, features).detach()
        age = torch.full((1,), DT)
    return state


def yaw_of(state):
    none = torch.zeros(1)
    return float(boxes_from_codes(state, none.long(), none, none.long()).yaw[0])


def test_the_velocity_of_a_track_follows_its_movement_though_the_decoder_sees_none(motion):
    velocity = torch.tensor([6.0, -3.0])
    state = follow(motion, lambda k: code(6.0 * DT * k, -3.0 * DT * k), 30)
    # The decoder, which says 0, pulls a little.
    assert (state[0, 8:] / velocity).min() > 0.7
    assert follow(motion, lambda k: code(5.0, 2.0), 30)[0, 8:].norm() < 1e-3


def test_a_moving_track_heads_where_it_goes_and_a_standing_one_where_it_looks(motion):
    # The decoder, which sees it along x, pulls the other way.
    assert yaw_of(follow(motion, lambda k: code(0.0, 0.8 * k, yaw=0.0), 40)) > 0.4
    assert yaw_of(follow(motion, lambda k: code(5.0, 2.0, yaw=1.0), 20)) == pytest.approx(1.0, abs=1e-3)


def test_rows_without_a_past_keep_what_the_decoder_found(motion):
    found = code(3.0, 4.0, 0.7, (1.0, 2.0))
    out = motion(torch.full((1, 10), 9.0), torch.zeros(1, 3), torch.zeros(1), torch.zeros(1), found, torch.zeros(1, 8))
    assert torch.equal(out, found)


def test_a_jump_counts_as_the_fastest_road_user(motion):
    still, far = code(0.0, 0.0), code(30.0, 0.0)
    out = motion(still, still[:, [0, 1, 4]], torch.full((1,), DT), torch.ones(1), far, torch.zeros(1, 8))
    assert out[0, 8:].norm() < 0.3 * 40


def test_only_the_gains_learn_from_the_state(motion):
    found, features = code(1.0, 0.0).requires_grad_(), torch.randn(1, 8, requires_grad=True)
    out = motion(code(0.0, 0.0), torch.zeros(1, 3), torch.full((1,), DT), torch.ones(1), found, features)
    out[:, STATE].sum().backward()
    assert found.grad.abs().sum() == 0 and features.grad is None
    assert all(p.grad is not None for p in motion.parameters())


@pytest.mark.parametrize('angle', [0.3, -2.0])
def test_turned_codes_are_the_same_object_seen_from_turned_axes(angle):
    c, s = np.cos(angle), np.sin(angle)
    # Row vectors: p_new = p_old @ turn for axes turned by ``angle``.
    turn = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float32)
    before = code(3.0, 4.0, 0.7, (2.0, 1.0))
    after = turn_codes(before, turn)
    assert yaw_of(after) == pytest.approx(0.7 - angle, abs=1e-5)
    torch.testing.assert_close(after[0, 8:], torch.tensor([2.0 * c + s, -2.0 * s + c], dtype=torch.float32))
    assert torch.equal(after[:, :6], before[:, :6])


def test_the_refinement_adds_to_heading_and_velocity_of_the_code_before():
    before, raw = code(3.0, 4.0, 0.7, (2.0, 1.0)), torch.zeros(1, 10)
    codes, _ = refine_code(raw, torch.full((1, 3), 0.5), RANGE, before)
    assert torch.equal(codes[:, STATE], before[:, STATE])
    assert torch.equal(refine_code(raw, torch.full((1, 3), 0.5), RANGE)[0][:, STATE], raw[:, STATE])


def test_a_track_keeps_its_heading_in_the_world_while_the_vehicle_turns():
    """The gains are closed, so what a track says can only come from what it said before."""
    network = make_network(OWN, Side.VEHICLE)
    start_track_motion(network)
    with torch.no_grad():
        network.track_motion.gains[-1].bias.fill_(-30.0)
        network.decoder.reg[-1][-1].bias[6:8] = torch.tensor([6.0, -8.0])
    tracker = AgentTracker(network, OWN, Side.VEHICLE)
    state, first = tracker.step(tracker.initial(), make_frame(0))
    state, second = tracker.step(state, turned(make_frame(1), 0.1))
    before = dict(zip(first.tracks.track_id.tolist(), first.tracks.yaw, strict=True))
    kept = [yaw - before[i] for i, yaw in zip(second.tracks.track_id.tolist(), second.tracks.yaw, strict=True)
            if i in before]
    assert kept
    np.testing.assert_allclose(kept, -0.1, atol=1e-4)


def turned(frame, angle):
    """Return a frame of a vehicle that has turned to the left."""
    pose = frame.global_from_ego.copy()
    pose[:3, :3] = rotation_z(angle) @ pose[:3, :3]
    return dataclasses.replace(frame, global_from_ego=pose)
