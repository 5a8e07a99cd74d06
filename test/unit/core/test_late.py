"""Late fusion and Kalman tracking: the worked cases and the rules."""

import numpy as np

from cooptrack_ros.core.ab3dmot import KalmanConfig, initial_state, predict, step, update
from cooptrack_ros.core.late import ROADSIDE_FIRST_ID, LateTracker, fuse_boxes
from cooptrack_ros.core.types import Boxes


def cars(*xy, label=0, score=0.8, first_id=1):
    """Return cars at places."""
    n = len(xy)
    return Boxes(np.array([[x, y, -1.0] for x, y in xy]).reshape(n, 3), np.tile([4.4, 1.9, 1.6], (n, 1)), np.zeros(n),
                 np.zeros((n, 2)), np.full(n, label), np.full(n, score), np.arange(first_id, first_id + n))


def test_the_filter_reproduces_the_worked_example():
    mean, covariance = np.zeros((1, 10)), np.diag([10.0] * 7 + [1e4] * 3)[None]
    mean, covariance = predict(mean, covariance, 1.0)
    assert np.allclose([covariance[0, 0, 0], covariance[0, 0, 7], covariance[0, 7, 7]], [10011, 10000, 10000.01])
    measured = np.zeros((1, 7))
    measured[0, 0] = 1.0
    mean, covariance = update(mean, covariance, measured)
    assert np.allclose([mean[0, 0], mean[0, 7]], [0.999900, 0.998801], atol=1e-6)
    assert np.allclose([covariance[0, 0, 0], covariance[0, 0, 7], covariance[0, 7, 7]],
                       [0.999900, 0.998801, 11.995617], atol=1e-6)
    mean, _ = predict(mean, covariance, 1.0)
    assert np.isclose(mean[0, 0], 1.998701, atol=1e-6)


def test_a_box_measured_the_wrong_way_round_does_not_turn_the_track():
    mean, covariance = np.zeros((1, 10)), np.diag([10.0] * 7 + [1e4] * 3)[None]
    measured = np.zeros((1, 7))
    measured[0, 3] = np.pi
    turned, _ = update(mean, covariance, measured)
    assert np.isclose(np.abs(turned[0, 3]), np.pi)


def test_a_pair_keeps_the_ego_box_and_a_roadside_box_alone_loses_score():
    fused, rows, columns = fuse_boxes(cars((10, 0), (30, 5)), cars((10.5, 0.3), (50, 0), (30, 5.2), score=0.5))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [0, 2])
    assert len(fused) == 3
    assert np.allclose(fused.score, [0.8, 0.8, 0.2])
    assert np.allclose(fused.centre[0], [10, 0, -1])


def test_boxes_of_different_classes_or_beyond_the_gate_are_not_fused():
    fused, rows, _ = fuse_boxes(cars((10, 0)), Boxes.concatenate([cars((10, 0), label=2), cars((10, 5))]))
    assert len(rows) == 0 and len(fused) == 3


def test_empty_sets_are_legal_on_both_sides():
    assert len(fuse_boxes(Boxes.empty(), cars((1, 1)))[0]) == 1
    assert len(fuse_boxes(cars((1, 1)), Boxes.empty())[0]) == 1
    state, reported = step(initial_state(KalmanConfig()), Boxes.empty(), KalmanConfig(), None)
    assert len(reported) == 0 and state.frames == 1


def test_a_track_gets_its_velocity_and_keeps_its_identity():
    config, state = KalmanConfig(), initial_state(KalmanConfig())
    for frame in range(10):
        state, reported = step(state, cars((frame * 0.5, 0)), config, 0.1 if frame else None)
    assert reported.track_id.tolist() == [1]
    assert np.allclose(reported.velocity[0], [5, 0], atol=0.3)


def test_a_missed_track_coasts_and_then_ends():
    config, state = KalmanConfig(), initial_state(KalmanConfig())
    for frame in range(6):
        state, _ = step(state, cars((frame * 0.5, 0)), config, 0.1)
    counts = []
    for _ in range(7):
        state, reported = step(state, Boxes.empty(), config, 0.1)
        counts.append(len(reported))
    assert counts == [1, 1, 1, 1, 0, 0, 0]


def test_late_fusion_shows_what_only_the_roadside_sees_under_ids_of_its_own():
    tracker = LateTracker()
    state = tracker.initial()
    for frame in range(5):
        state, tracks = tracker.step(state, cars((10, 0)), cars((10.2, 0), (40, 10)), np.eye(4), frame * 100_000_000)
    assert tracks.track_id.tolist() == [1, ROADSIDE_FIRST_ID]
    assert np.allclose(tracks.centre[1, :2], [40, 10], atol=0.01)


def test_the_host_vehicle_seen_by_the_roadside_is_no_object():
    tracker = LateTracker()
    _, tracks = tracker.step(tracker.initial(), Boxes.empty(), cars((0.5, 0.2)), np.eye(4), 0)
    assert len(tracks) == 0
