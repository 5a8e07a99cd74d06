"""The tracker step: a pure function that copes with any number of tracks and instances."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, NONE, make_frame, make_message, make_tracker

from cooptrack_ros.common.types import InstanceSet, Side
from cooptrack_ros.model.instances.boxes import denormalize
from cooptrack_ros.tracking.tracker import AgentTracker


@pytest.fixture(scope='module')
def instances() -> InstanceSet:
    tracker = make_tracker(Side.ROADSIDE, MANY)
    _, output = tracker.step(tracker.initial(), make_frame(0))
    assert len(output.instances) == CONFIG.num_queries
    return output.instances


def run(tracker: AgentTracker, frames, messages=()):
    state, outputs = tracker.initial(), []
    for frame in frames:
        state, output = tracker.step(state, frame, messages)
        outputs.append(output)
    return state, outputs


@pytest.mark.parametrize('bias', [NONE, MANY])
@pytest.mark.parametrize('count', [0, 1, 40])
def test_cooperative_step_takes_no_one_and_full_capacity(instances, bias, count):
    tracker = make_tracker(Side.COOPERATIVE, bias)
    state, outputs = run(tracker, [make_frame(0), make_frame(1)], [make_message(instances[:count])])
    # What the vehicle has nothing to set against passes as the unit said it.
    received = int((instances[:count].boxes.score > CONFIG.tracker_cooperative.score_threshold).sum())
    expected = [CONFIG.num_queries] if bias == MANY else range(min(received, 1), received + 1)
    assert len(state.tracks) in expected
    assert len(state.tracks) == len(outputs[-1].instances)
    assert len(outputs[-1].matches) <= min(count, len(state.tracks))


def test_a_message_with_more_instances_than_there_are_queries_leaves_their_number(instances):
    many = instances[np.tile(np.arange(len(instances)), 3)]
    assert len(many) > CONFIG.num_queries
    state, outputs = run(make_tracker(Side.COOPERATIVE, MANY), [make_frame(0), make_frame(1)], [make_message(many)])
    assert len(state.tracks) == CONFIG.num_queries
    assert len(outputs[-1].matches) <= CONFIG.num_queries


@pytest.mark.parametrize('side', [Side.VEHICLE, Side.ROADSIDE])
@pytest.mark.parametrize('bias', [NONE, MANY])
def test_a_single_agent_keeps_none_or_all_of_its_tracks(side, bias):
    state, _ = run(make_tracker(side, bias), [make_frame(0), make_frame(1), make_frame(2)])
    assert len(state.tracks) == (CONFIG.num_queries if bias == MANY else 0)


def test_no_message_and_an_empty_message_are_the_same(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY)
    _, without = run(tracker, [make_frame(0)])
    _, empty = run(tracker, [make_frame(0)], [make_message(instances[:0])])
    np.testing.assert_array_equal(without[0].tracks.centre, empty[0].tracks.centre)


def test_instances_outside_the_range_are_as_none(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY)
    _, far = run(tracker, [make_frame(0)], [make_message(instances, shift_x=1e5)])
    _, without = run(tracker, [make_frame(0)])
    np.testing.assert_array_equal(far[0].tracks.centre, without[0].tracks.centre)
    assert far[0].matches == ()


def test_a_state_stays_valid_and_gives_the_same_again(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY)
    state, _ = run(tracker, [make_frame(0)], [make_message(instances)])
    before = {f.name: getattr(state.tracks, f.name).clone() for f in dataclasses.fields(state.tracks)}
    _, first = tracker.step(state, make_frame(1), [make_message(instances)])
    tracker.step(state, make_frame(5))
    _, second = tracker.step(state, make_frame(1), [make_message(instances)])
    for name, value in before.items():
        assert torch.equal(getattr(state.tracks, name), value)
    np.testing.assert_array_equal(first.tracks.centre, second.tracks.centre)
    np.testing.assert_array_equal(first.tracks.track_id, second.tracks.track_id)


def test_random_fill_depends_on_the_step_only():
    method = dataclasses.replace(CONFIG.method, query_fill='random')
    config = dataclasses.replace(CONFIG, method=method)
    frames = [make_frame(i) for i in range(3)]
    _, first = run(make_tracker(Side.VEHICLE, 0.0, config), frames)
    torch.rand(7)
    _, second = run(make_tracker(Side.VEHICLE, 0.0, config), frames)
    np.testing.assert_array_equal(first[-1].tracks.centre, second[-1].tracks.centre)


@pytest.mark.parametrize(('frame', 'reset'), [
    (make_frame(1), False), (make_frame(5), False), (make_frame(6), True), (make_frame(1, 'b'), True)])
def test_gaps_and_other_sequences_start_anew(frame, reset):
    tracker = make_tracker(Side.VEHICLE, MANY)
    state, _ = run(tracker, [make_frame(0)])
    _, output = tracker.step(state, frame)
    assert output.reset is reset


@pytest.mark.parametrize(('keep', 'frame', 'restarts'), [
    (False, make_frame(6), True), (True, make_frame(6), False), (True, make_frame(1, 'b'), True)])
def test_identities_start_again_or_go_on_after_a_gap(keep, frame, restarts):
    config = dataclasses.replace(CONFIG, method=dataclasses.replace(CONFIG.method, keep_ids_after_gap=keep))
    tracker = make_tracker(Side.VEHICLE, MANY, config)
    state, _ = run(tracker, [make_frame(0)])
    after, output = tracker.step(state, frame)
    assert after.next_id == config.num_queries + (1 if restarts else state.next_id)
    assert restarts or output.detections.track_id.min() >= state.next_id


def test_time_running_back_starts_anew():
    tracker = make_tracker(Side.VEHICLE, MANY)
    state, _ = run(tracker, [make_frame(3)])
    _, output = tracker.step(state, make_frame(2))
    assert output.reset


def test_the_order_of_messages_does_not_matter(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY)
    messages = [make_message(instances[:10], 'a'), make_message(instances[10:20], 'b', -39.0)]
    _, one = run(tracker, [make_frame(0)], messages)
    _, other = run(tracker, [make_frame(0)], messages[::-1])
    np.testing.assert_array_equal(one[0].tracks.centre, other[0].tracks.centre)
    assert one[0].matches == other[0].matches and {m.unit_id for m in one[0].matches} == {'a', 'b'}


def test_what_two_units_both_see_is_fused_once(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY)
    one = run(tracker, [make_frame(0)], [make_message(instances[:10], 'a')])[1][0]
    both = run(tracker, [make_frame(0)], [make_message(instances[:10], 'a'), make_message(instances[:10], 'b')])[1][0]
    assert len(one.matches) == len(both.matches)
    np.testing.assert_array_equal(one.tracks.centre, both.tracks.centre)


def test_matches_name_live_tracks_and_their_instances(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY)
    message = make_message(instances[5:15])
    state, outputs = run(tracker, [make_frame(0)], [message])
    matches = outputs[0].matches
    assert matches and len({m.track_id for m in matches}) == len(matches)
    assert {m.track_id for m in matches} <= set(state.tracks.ids.tolist())
    for match in matches:
        assert match.infra_track_id == message.instances.boxes.track_id[match.infra_index]
        assert 0 <= match.affinity <= 1


def test_pairs_beyond_the_distance_limit_are_added_instead_of_fused(instances):
    method = dataclasses.replace(CONFIG.method, max_match_distance_m=0.0)
    tracker = make_tracker(Side.COOPERATIVE, MANY, dataclasses.replace(CONFIG, method=method))
    seen = {}
    inputs = tracker.prepare(make_frame(0))
    tracker.advance(tracker.initial(), inputs, [make_message(instances)], observe=seen.__setitem__)
    fusion, received = seen['fused'], int(seen['aligned'].kept.sum())
    assert received > 0 and len(fusion.instances) == CONFIG.num_queries
    assert int((fusion.sources.unit >= 0).sum()) == received and int((~fusion.instances.hist_padding).sum()) >= received


def test_the_rule_pairs_by_distance_alone(instances):
    seen = {}
    for association in ('learned', 'distance'):
        method = dataclasses.replace(CONFIG.method, association=association)
        tracker = make_tracker(Side.COOPERATIVE, MANY, dataclasses.replace(CONFIG, method=method))
        tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), [make_message(instances)],
                        observe=lambda name, value, key=association: seen.__setitem__((key, name), value))
    points = denormalize(seen['distance', 'reasoned'].ref_points, CONFIG.ego_range.pc_range)
    received = denormalize(seen['distance', 'aligned'].ref_points, CONFIG.ego_range.pc_range)
    rows, columns = seen['distance', 'matches']
    assert len(rows) and bool(((points[rows] - received[columns]).norm(dim=-1) <= 3.5).all())
    # Without a limit the learned association pairs every received instance, however far.
    assert len(rows) < len(seen['learned', 'matches'][0]) == len(received)


def test_messages_to_a_single_agent_are_refused(instances):
    tracker = make_tracker(Side.VEHICLE, NONE)
    with pytest.raises(ValueError, match='takes no messages'):
        tracker.step(tracker.initial(), make_frame(0), [make_message(instances)])


def test_instances_remember_where_they_were(instances):
    assert not instances.previous_age_s.any()
    tracker = make_tracker(Side.VEHICLE, MANY)
    state, outputs = run(tracker, [make_frame(0), make_frame(1)])
    now, before = outputs[1].instances, outputs[0].instances
    np.testing.assert_allclose(now.previous_age_s, 0.1, rtol=1e-6)
    expected = before.boxes.centre - [0.8, 0, 0]
    order = [list(before.boxes.track_id).index(i) for i in now.boxes.track_id]
    np.testing.assert_allclose(now.previous_position, expected[order], atol=1e-4)


def test_two_cameras_work_when_the_model_knows_two():
    config = dataclasses.replace(CONFIG, max_cameras=2)
    tracker = make_tracker(Side.VEHICLE, MANY, config)
    one = make_frame(0)
    two = dataclasses.replace(one, images=one.images * 2, img_from_lidar=np.repeat(one.img_from_lidar, 2, axis=0))
    _, output = tracker.step(tracker.initial(), two)
    assert len(output.instances) == config.num_queries
    with pytest.raises(ValueError, match='2 cameras'):
        make_tracker(Side.VEHICLE, MANY).step(make_tracker(Side.VEHICLE, MANY).initial(), two)


def test_the_vehicle_itself_is_no_received_object(instances):
    message = make_message(instances)
    moved = np.eye(4)
    moved[:3, 3] = -instances.boxes.centre[0]
    message = dataclasses.replace(message, ego_from_infra=moved)
    kept = {}
    for drop in (False, True):
        method = dataclasses.replace(CONFIG.method, exclude_ego=drop)
        tracker = make_tracker(Side.COOPERATIVE, MANY, dataclasses.replace(CONFIG, method=method))
        _, output = tracker.step(tracker.initial(), make_frame(0), [message])
        kept[drop] = {m.infra_index for m in output.matches}
    assert 0 in kept[False] and 0 not in kept[True]


def test_only_tracks_that_live_on_are_reported_if_wanted():
    reported = {}
    for only_live in (False, True):
        config = dataclasses.replace(
            CONFIG, method=dataclasses.replace(CONFIG.method, report_only_live=only_live),
            tracker_vehicle=dataclasses.replace(CONFIG.tracker_vehicle, score_threshold=1.0))
        reported[only_live] = run(make_tracker(Side.VEHICLE, MANY, config), [make_frame(0)])[1][0]
    assert len(reported[False].tracks) > 0 and not reported[False].live.any()
    assert len(reported[True].tracks) == 0 and len(reported[True].detections) == len(reported[False].detections)
