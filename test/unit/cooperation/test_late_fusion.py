"""Late fusion and Kalman tracking: the worked cases and the rules."""

from dataclasses import replace

import numpy as np
import pytest

from cooptrack_ros.common.types import Boxes, Frame, FrameOutput, InstanceSet, Provenance, RoadsideMessage
from cooptrack_ros.cooperation.ab3dmot import DAIR_PLUGIN, KalmanConfig, initial_state, predict, step, update
from cooptrack_ros.cooperation.giou import giou_3d
from cooptrack_ros.cooperation.instance_filter import distinct
from cooptrack_ros.cooperation.late_fusion import ROADSIDE_FIRST_ID, LateTracker, fuse_boxes, roadside_boxes
from cooptrack_ros.cooperation.pairing import Received
from cooptrack_ros.tracking.ego_agent import EgoAgent


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
    for stamp_ns in range(0, 500_000_000, 100_000_000):
        infra, infra_ns = cars((10.2, 0), (40, 10)), np.full(2, stamp_ns)
        state, tracks = tracker.step(state, cars((10, 0)), infra, infra_ns, np.eye(4), stamp_ns)
    assert tracks.track_id.tolist() == [1, ROADSIDE_FIRST_ID]
    assert np.allclose(tracks.centre[1, :2], [40, 10], atol=0.01)


def test_the_ego_vehicle_seen_by_the_roadside_is_no_object():
    boxes = cars((0.5, 0.2), (30, 0))
    message = RoadsideMessage('rsu_1', 0, replace(InstanceSet.empty(0), boxes=boxes), np.eye(4))
    result = EgoAgent(SeesNothing(), LateTracker()).step(
        Frame('s', 0, (), np.zeros((0, 4, 4)), np.eye(4), np.eye(4)), Received(late=(message,)))
    assert result.tracks.centre[:, 0].tolist() == result.detections.centre[:, 0].tolist() == [30]
    assert result.provenance.tolist() == [Provenance.ROADSIDE]


def box(x, y=0.0, z=0.0, yaw=0.0, size=(1.0, 1.0, 1.0)):
    """Return one box."""
    return cars((x, y)).with_(centre=np.array([[x, y, z]]), size=np.array([size], float), yaw=np.array([yaw]))


@pytest.mark.parametrize(('other', 'expected'), [
    (box(2), -1 / 3), (box(0.5), 1 / 3), (box(0), 1.0), (box(0, yaw=np.pi / 2), 1.0), (box(0, z=2), -1 / 3),
    # A square turned by 45 degrees shares a regular octagon with the other; the hull is again an octagon.
    (box(0, yaw=np.pi / 4), (2 * 2 ** 0.5 - 2) / (4 - 2 * 2 ** 0.5)
     - (2 ** 0.5 - (4 - 2 * 2 ** 0.5)) / 2 ** 0.5),
])
def test_generalised_iou_of_unit_cubes(other, expected):
    assert np.isclose(giou_3d(box(0), other)[0, 0], expected, atol=1e-9)
    assert np.isclose(giou_3d(other, box(0))[0, 0], expected, atol=1e-9)


def test_generalised_iou_does_not_depend_on_the_frame():
    rng = np.random.default_rng(0)
    a, b = cars(*rng.uniform(-4, 4, (6, 2))), cars(*rng.uniform(-4, 4, (5, 2)))
    a, b = a.with_(yaw=rng.uniform(-3, 3, 6)), b.with_(yaw=rng.uniform(-3, 3, 5))
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    moved = [x.with_(centre=x.centre @ turn.T + [100, 50, 3], yaw=x.yaw + np.arctan2(0.8, 0.6)) for x in (a, b)]
    assert np.allclose(giou_3d(a, b), giou_3d(*moved), atol=1e-9)
    assert (giou_3d(a, b) >= -1).all() and giou_3d(a, Boxes.empty()).shape == (6, 0)


@pytest.mark.parametrize(('min_hits', 'expected'), [(1, [1, 1, 1, 1]), (2, [0, 1, 1, 1]), (3, [0, 0, 1, 1])])
def test_a_track_is_reported_at_its_min_hits_th_detection(min_hits, expected):
    config = KalmanConfig(min_hits=min_hits)
    state, counts = initial_state(config), []
    for _ in range(8):
        state, _ = step(state, Boxes.empty(), config, 0.1)
    for _ in expected:
        state, reported = step(state, cars((5, 5)), config, 0.1)
        counts.append(len(reported))
    assert counts == expected


def test_the_score_of_a_track_is_the_mean_of_its_detections():
    config = KalmanConfig()
    state = initial_state(config)
    for score in (0.2, 0.4, 0.9):
        state, reported = step(state, cars((5, 5), score=score), config, 0.1)
    assert np.isclose(reported.score[0], 0.5)


@pytest.mark.parametrize(('shift', 'tracks'), [(4.9, 1), (9.0, 2)])
def test_the_plug_in_setting_matches_by_overlap_of_boxes(shift, tracks):
    # Two cars of length 4.4 in a row: generalised IoU -0.05 at 4.9 m, -0.34 at 9 m; by distance neither would match.
    state, _ = step(initial_state(DAIR_PLUGIN), cars((0, 0)), DAIR_PLUGIN, None)
    state, _ = step(state, cars((shift, 0)), DAIR_PLUGIN, 0.1)
    assert len(state.track_id) == tracks


def test_pairs_are_assigned_first_and_rejected_afterwards():
    # The cheapest assignment is 0.5 m + 4.5 m, of which one is too far. Rejecting first would take 3.3 m + 3.3 m.
    config = KalmanConfig(max_distance_m=(3.5, 2.0, 2.0))
    state, _ = step(initial_state(config), cars((0, 0), (0.8, 3.7)), config, None)
    state, _ = step(state, cars((0, 0.5), (3.3, 0)), config, 0.1)
    assert state.since_update.tolist() == [0, 1, 0]


def test_three_and_three_boxes_with_a_pair_a_label_conflict_and_one_beyond_the_gate():
    ego = cars((10, 0), (20, 5), (30, -5), score=0.8)
    infra = cars((11, 0.5), (20, 5), (30, -0.5), score=0.5).with_(label=np.array([0, 2, 0]))
    fused, rows, columns = fuse_boxes(ego, infra)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])
    assert np.allclose(fused.score, [0.8, 0.8, 0.8, 0.2, 0.2])
    assert np.allclose(fused.centre[:, :2], [[10, 0], [20, 5], [30, -5], [20, 5], [30, -0.5]])


def test_the_gate_turns_with_the_roadside_box():
    along_its_length = cars((10, 4.0))
    assert len(fuse_boxes(along_its_length, cars((10, 0)))[1]) == 0
    assert len(fuse_boxes(along_its_length, cars((10, 0)).with_(yaw=np.array([np.pi / 2])))[1]) == 1


def test_after_a_gap_roadside_objects_get_numbers_that_were_not_used_before():
    tracker = LateTracker()
    state, before = tracker.step(tracker.initial(), Boxes.empty(), cars((40, 10)), np.zeros(1, int), np.eye(4), 0)
    _, after = tracker.step(state, Boxes.empty(), cars((40, 25)), np.full(1, 2_000_000_000), np.eye(4),
                            2_000_000_000)
    assert before.track_id.tolist() == [ROADSIDE_FIRST_ID]
    assert after.track_id.tolist() == [ROADSIDE_FIRST_ID + 1]


def test_roadside_boxes_are_moved_by_their_own_velocity_to_the_time_of_the_ego_frame():
    boxes = cars((10, 0), (20, 5)).with_(velocity=np.array([[15.0, -5.0], [np.nan, np.nan]]))
    instances = replace(InstanceSet.empty(4), boxes=boxes)
    # The unit faces left of the vehicle and stands 2 m before it.
    ego_from_infra = np.array([[0.0, -1, 0, 2], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    message = RoadsideMessage('rsu_1', 1_000_000_000, instances, ego_from_infra)
    moved = roadside_boxes([message], 1_200_000_000)
    np.testing.assert_allclose(moved.centre[:, :2], [[2 + 1.0, 13.0], [2 - 5.0, 20.0]])
    np.testing.assert_allclose(moved.velocity[0], [5.0, 15.0], atol=1e-12)
    assert len(roadside_boxes([], 0)) == 0


def test_what_two_units_see_counts_once():
    def sent(unit, x, score):
        boxes = cars((x, 0.0)).with_(score=np.array([score]))
        empty = InstanceSet.empty(0)
        points = np.zeros((1, 3), np.float32)
        return RoadsideMessage(unit, 0, replace(
            empty, boxes=boxes, ref_points=points, semantic=points[:, :0], motion=points[:, :0],
            position_embedding=points[:, :0], previous_position=points, previous_age_s=points[:, 0]), np.eye(4))
    messages = [sent('a', 30.0, 0.5), sent('b', 30.5, 0.8), sent('c', 40.0, 0.3)]
    assert [k.tolist() for k in distinct(messages)] == [[False], [True], [True]]
    frame = Frame('s', 0, (), np.zeros((0, 4, 4)), np.eye(4), np.eye(4))
    agent = EgoAgent(SeesNothing(), LateTracker())
    result = agent.step(frame, Received(late=tuple(messages)))
    assert sorted(result.tracks.centre[:, 0].round(1).tolist()) == [30.5, 40.0]


class SeesNothing:
    """A tracker without tracks."""

    def initial(self):
        """Return no state."""

    def step(self, state, frame, messages=()):
        """Report nothing."""
        nothing = Boxes.empty()
        return None, FrameOutput(frame.stamp_ns, nothing, np.zeros(0, bool), nothing, InstanceSet.empty(0), (), False)
