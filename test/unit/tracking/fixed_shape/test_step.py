"""The step of fixed shapes against the tracker as it is written."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_steps import OWN, PUBLISHED, assert_same, frames_with_a_gap, make_network, messages_of
from support.small_tracker import make_frame

from cooptrack_ros.common.geometry import transform_points
from cooptrack_ros.common.types import Side
from cooptrack_ros.cooperation.association_memory import Remembered
from cooptrack_ros.model.network import CoopTrackNetwork
from cooptrack_ros.tracking.fixed_shape.messages import arrange
from cooptrack_ros.tracking.fixed_shape.tracker import StepTracker
from cooptrack_ros.tracking.tracker import AgentTracker


def make_trackers(config, side: Side, **options) -> tuple[AgentTracker, StepTracker]:
    """Return the tracker as it is written and the one of fixed shapes, with the same weights."""
    network = make_network(config, side)
    return AgentTracker(network, config, side), StepTracker(network, config, side, **options)


def run_both(trackers, frames, messages=lambda frame: ()):
    """Return the outputs of both trackers, frame by frame."""
    runs = []
    for tracker in trackers:
        state, outputs = tracker.initial(), []
        for frame in frames:
            state, output = tracker.step(state, frame, messages(frame))
            outputs.append(output)
        runs.append(outputs)
    return zip(*runs, strict=True)


@pytest.mark.parametrize('config', [OWN, PUBLISHED, dataclasses.replace(OWN, hist_len=0)],
                         ids=['own', 'published', 'without history'])
@pytest.mark.parametrize('side', [Side.VEHICLE, Side.ROADSIDE])
@pytest.mark.parametrize('fixed', [True, False], ids=['for devices', 'for a CPU'])
def test_an_agent_alone_reports_what_the_tracker_as_written_reports(config, side, fixed):
    ids, counts = [], []
    for expected, output in run_both(make_trackers(config, side, fixed=fixed), frames_with_a_gap()):
        assert_same(output, expected)
        ids.append(set(output.instances.boxes.track_id.tolist()))
        counts.append(len(output.instances))
    assert any(a & b for a, b in zip(ids, ids[1:])), 'no track lived on'
    assert any(a - b for a, b in zip(ids, ids[1:])), 'no track ended'
    assert 0 < min(counts) < config.num_queries


def test_both_find_the_same_when_they_look_again():
    views = []
    for tracker in make_trackers(OWN, Side.COOPERATIVE, fixed=True):
        assert not len(tracker.look(tracker.initial()).points)
        state, _ = tracker.step(tracker.initial(), make_frame(0))
        state, _ = tracker.step(state, make_frame(1))
        views.append(tracker.look(state))
    expected, view = views
    assert len(view.points) == len(view.scores) == OWN.num_queries
    np.testing.assert_allclose(view.points, expected.points, atol=1e-3)
    np.testing.assert_allclose(view.scores, expected.scores, atol=1e-4)


def with_method(config, **changes):
    return dataclasses.replace(config, method=dataclasses.replace(config.method, **changes))


@pytest.mark.parametrize('config', [
    OWN, PUBLISHED, with_method(OWN, association='distance', carried_motion=False), with_method(OWN, min_affinity=0.14),
    with_method(OWN, alignment='none', exclude_ego=True), with_method(PUBLISHED, max_match_distance_m=15.0),
    with_method(OWN, learned_floor=0.6, max_added_per_unit=2)],
    ids=['own', 'published', 'by distance', 'affinity limit', 'unaligned', 'published with a gate', 'little room'])
@pytest.mark.parametrize('units', [1, 3])
def test_a_cooperative_agent_reports_what_the_tracker_as_written_reports(config, units, monkeypatch):
    counts = []

    def counted(*arguments):
        fusion, layout = arrange(*arguments)
        sources = fusion.sources
        taken = sources.own_points.isnan().any(-1)
        counts.append([int(((sources.unit >= 0) & ~taken).sum()), int(taken.sum())])
        return fusion, layout
    monkeypatch.setattr('cooptrack_ros.tracking.fixed_shape.tracker.arrange', counted)
    trackers = make_trackers(config, Side.COOPERATIVE, fixed=True)
    matches = 0
    for expected, output in run_both(trackers, frames_with_a_gap(), messages_of(config, units)):
        assert_same(output, expected)
        matches += len(output.matches)
    merged, taken = np.sum(counts, axis=0)
    assert merged and (matches or config.method.association == 'distance')
    assert taken or config.method.max_match_distance_m == float('inf')


def test_both_remember_the_same_pairs_and_prefer_them(monkeypatch):
    known, weights = [], Remembered.weights

    def noted(remembered, ego_ids):
        found = weights(remembered, ego_ids)
        known.append(int((found > 0).sum()))
        return found
    monkeypatch.setattr(Remembered, 'weights', noted)
    source, states, counts = messages_of(OWN, 2), [], []
    for tracker in make_trackers(OWN, Side.COOPERATIVE, fixed=True):
        state = tracker.initial()
        for frame in [make_frame(i) for i in range(3)]:
            state, _ = tracker.step(state, frame, source(frame))
        states.append(state)
        counts.append(known.copy())
        known.clear()
    assert states[0].memory == states[1].memory and len(states[0].memory.pairs) == 2
    assert counts[0] == counts[1] and sum(counts[0])


@pytest.mark.parametrize('case', ['no messages', 'messages now and then', 'no right to create'])
def test_special_messages_have_the_same_effect(case):
    trackers = make_trackers(OWN, Side.COOPERATIVE, fixed=True)
    source = messages_of(OWN, 2, may_create=case != 'no right to create')
    states = [t.initial() for t in trackers]
    for index, frame in enumerate(frames_with_a_gap()):
        given = [] if case == 'no messages' or (case == 'messages now and then' and index % 2) else source(frame)
        results = [t.step(s, frame, given) for t, s in zip(trackers, states, strict=True)]
        states = [state for state, _ in results]
        assert_same(results[1][1], results[0][1])


def test_tracks_that_stand_on_messages_alone_end_with_them():
    config = with_method(OWN, roadside_lifetime_s=0.15)
    network = make_network(config, Side.COOPERATIVE)
    # The vehicle itself sees nothing.
    torch.nn.init.constant_(network.decoder.cls[-1][-1].bias, -9.0)
    trackers = [AgentTracker(network, config, Side.COOPERATIVE),
                StepTracker(network, config, Side.COOPERATIVE, fixed=True)]
    source, received, counts = messages_of(config, 1), set(), []
    for expected, output in run_both(trackers, [make_frame(i) for i in range(4)],
                                     lambda f: source(f) if f.stamp_ns == 0 else []):
        assert_same(output, expected)
        received |= {m.track_id for m in output.matches}
        counts.append(len(received & set(output.instances.boxes.track_id.tolist())))
    assert counts[0] and counts[1] and not counts[2]


def test_of_more_instances_than_slots_the_best_are_fused(monkeypatch):
    monkeypatch.setattr('cooptrack_ros.tracking.fixed_shape.tracker.SLOTS', 4)
    reference, tracker = make_trackers(OWN, Side.COOPERATIVE, fixed=True)
    frame = make_frame(0)
    message, = messages_of(OWN, 1)(frame)
    low, high = np.reshape(OWN.ego_range.pc_range, (2, 3))
    there = transform_points(message.ego_from_infra, message.instances.boxes.centre)
    inside = ((low < there) & (there < high)).all(1)
    best = np.sort(np.argsort(-np.where(inside, message.instances.boxes.score, 0), kind='stable')[:4])
    cut = dataclasses.replace(message, instances=message.instances[best])
    _, output = tracker.step(tracker.initial(), frame, [message])
    _, expected = reference.step(reference.initial(), frame, [cut])
    assert len(message.instances) > 4 and output.matches
    assert [m.infra_track_id for m in output.matches] == [m.infra_track_id for m in expected.matches]
    np.testing.assert_allclose(output.tracks.score, expected.tracks.score, atol=1e-4)


def test_a_state_stays_valid_after_the_frames_that_follow_it():
    tracker = make_trackers(OWN, Side.VEHICLE, fixed=True)[1]
    state, _ = tracker.step(tracker.initial(), make_frame(0))
    first = tracker.step(state, make_frame(1))[1]
    assert_same(tracker.step(state, make_frame(1))[1], first, atol=0)


def test_messages_are_refused_where_nobody_fuses():
    tracker = make_trackers(OWN, Side.VEHICLE)[1]
    with pytest.raises(ValueError, match='takes no messages'):
        tracker.step(tracker.initial(), make_frame(0), messages_of(OWN, 1)(make_frame(0)))


def test_fusion_before_the_decoder_is_refused():
    config = with_method(OWN, fusion_stage='before_decoder')
    with pytest.raises(ValueError, match='after the decoder only'):
        StepTracker(CoopTrackNetwork(config, Side.COOPERATIVE), config, Side.COOPERATIVE)


@pytest.mark.parametrize('tracker', [0, 1])
@pytest.mark.parametrize('shape', [(0, 10, 3), (10, 10), (10, 10, 4)])
def test_unusable_images_are_refused(tracker, shape):
    frame = dataclasses.replace(make_frame(0), images=(np.zeros(shape, np.uint8),))
    with pytest.raises(ValueError, match='image'):
        make_trackers(OWN, Side.VEHICLE)[tracker].prepare(frame)
