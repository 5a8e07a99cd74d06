"""What units send, however much, takes neither the places of the vehicle's own view nor its time."""

import dataclasses

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker
from test_confirm_only import OneCar, boxes_of

from cooptrack_ros.common.types import EgoOnlyDetections, Side
from cooptrack_ros.cooperation.late_fusion import LateTracker
from cooptrack_ros.cooperation.limits import Limits
from cooptrack_ros.cooperation.pairing import PairingConfig, Received, UnitMessage, UnitPairing
from cooptrack_ros.tracking.ego_agent import EgoAgent
from cooptrack_ros.tracking.fusion import Association, RowSources, order_rows
from cooptrack_ros.tracking.sight import LiveTracks, Sight

LIMITED = dataclasses.replace(CONFIG, method=dataclasses.replace(
    CONFIG.method, learned_floor=0.6, max_added_per_unit=0, max_match_distance_m=3.5))
MS = 1_000_000


@pytest.fixture(scope='module')
def instances():
    """Return what a roadside tracker with random weights sends."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    return tracker.step(tracker.initial(), make_frame(0))[1].instances


def ordered(scores, protected, room, sent):
    """Return how rows are put together with instances of which none belongs to a row."""
    sources = RowSources.start(torch.zeros(len(scores), 3), torch.tensor(scores), torch.tensor(protected))
    none = torch.zeros(0, dtype=torch.int64)
    return order_rows(sources, Association(torch.zeros(len(scores), len(sent)), none, none, torch.zeros(0)),
                      torch.tensor(sent), room)


def test_protected_rows_stay_and_the_best_instances_take_the_other_places():
    order = ordered([0.9, 0.1, 0.01, 0.2], [True, False, True, False], 9, [0.5, 0.8, 0.7])
    assert order.injected.tolist() == [1, 2] and order.rest.tolist() == [0, 2]
    order = ordered([0.9, 0.1, 0.01, 0.2], [True, False, True, False], 1, [0.5, 0.8, 0.7])
    assert order.injected.tolist() == [1] and order.rest.tolist() == [0, 3, 2]


def test_below_the_limits_rows_give_way_by_score_alone():
    order = ordered([0.9, 0.1, 0.01, 0.2], [True, False, False, False], 9, [0.5, 0.8])
    assert order.injected.tolist() == [0, 1] and order.rest.tolist() == [0, 3]


def test_a_crowd_leaves_the_floor_of_learned_queries_and_every_live_track(instances):
    tracker = make_tracker(Side.COOPERATIVE, MANY, LIMITED)
    state, entered, own = tracker.initial(), [], set()
    for index in range(5):
        crowd = [dataclasses.replace(make_message(instances, unit, -20.0 - 13 * k - 7 * index),
                                     stamp_ns=index * 100 * MS) for k, unit in enumerate('abc')]
        before = len(state.tracks)
        state, output = tracker.advance(state, tracker.prepare(make_frame(index)), crowd,
                                        observe=lambda name, value: entered.append(value) if name == 'queries' else 0)
        learned = int((entered[-1].ids < 0).sum())
        owed = len(output.unseen)
        assert len(entered[-1]) == CONFIG.num_queries and own <= set(state.tracks.ids.tolist())
        assert owed <= CONFIG.num_queries - 24 and learned == CONFIG.num_queries - before
        own = set(state.tracks.ids.tolist()) - output.unseen
        assert len(own) + owed <= max(len(own), CONFIG.num_queries - 24), 'learned queries gave way to units'
    assert output.left_out and {reason for _, reason in output.left_out} == {'no_room'}
    assert {unit for unit, _ in output.left_out} == {'a', 'b', 'c'}


def tracks(now_ms, spoken=(), decoder=(0.0, 0.9), scores=(0.9, 0.9)):
    """Return two live tracks: 1 was taken over from a message, 2 is the vehicle's."""
    units = {track: ('u', now_ms * MS, True) for track in spoken}
    return LiveTracks([1, 2], np.array([[0.0, 0], [20, 0]]), np.array(scores), list(decoder), units)


def seeing(*points):
    """Return what a look finds at places, surely."""
    return lambda: EgoOnlyDetections(np.array([[*p, 0.0] for p in points]).reshape(-1, 3), np.full(len(points), 0.8))


def test_a_track_is_seen_where_a_look_without_its_query_finds_it():
    sight = Sight().after(tracks(0, [1, 2]), 0, seeing((0, 0)), 0.3)
    assert sight.unseen(0) == {1} and sight.own_score(1, 0) == 0 and sight.own_score(2, 0) == 0.9
    # Its own query says 0.9, for it carries on what the message said.
    sure = tracks(200, [1, 2], decoder=(0.9, 0.9))
    blind = sight.after(sure, 200 * MS, seeing(), 0.3)
    assert blind.unseen(200 * MS) == {1} and blind.view is not None
    assert sight.after(sure, 200 * MS, seeing((1, 1)), 0.3).unseen(200 * MS) == frozenset()
    # One object is not the sight of two tracks.
    near = dataclasses.replace(sure, points=np.array([[0.0, 0], [1.5, 0]]))
    assert sight.after(near, 200 * MS, seeing((1.4, 0)), 0.3).unseen(200 * MS) == {1}
    assert blind.unseen(800 * MS) == {1, 2}


def test_looks_are_few_and_none_without_messages():
    looks = []

    def look():
        looks.append(1)
        return seeing()()
    sight = Sight()
    for index in range(10):
        sight = sight.after(tracks(index * 100), index * 100 * MS, look, 0.3)
    assert not looks
    for index in range(10, 20):
        sight = sight.after(tracks(index * 100, [1]), index * 100 * MS, look, 0.3)
    assert len(looks) == 5


def test_a_made_up_object_ends_with_its_last_message_however_sure_its_query_is():
    limits, sight, alive = Limits.of(CONFIG), Sight(), []
    for index in range(0, 20, 2):
        spoken = [1] if index == 0 else []
        live = tracks(index * 100, spoken, decoder=(0.0 if index == 0 else 0.9, 0.9))
        now_ns = index * 100 * MS
        sight = sight.after(live, now_ns, seeing((20, 0)), 0.3).within(limits, live, now_ns, 1.0)
        alive.append(1 in sight.evidence)
        if not alive[-1]:
            break
    assert alive == [True] * 6 + [False] and 2 in sight.evidence


def test_tracks_of_units_beyond_their_room_end_and_are_counted():
    limits = Limits(queries=4, learned=2, received=4, added=4, added_per_unit=4, seconds=1.0)
    live = LiveTracks([1, 2, 3], np.zeros((3, 2)), np.array([0.5, 0.9, 0.7]), [0.0, 0.0, 0.9],
                      {1: ('u', 0, True), 2: ('u', 0, True)})
    sight = Sight().after(live, 0, seeing(), 0.3).within(limits, live, 0, 1.0)
    assert set(sight.evidence) == {2, 3} and sight.left_out == {('u', 'no_room'): 1}


def test_a_unit_that_may_only_confirm_lifts_nothing(instances):
    class_bias = -1.0
    tracker = make_tracker(Side.COOPERATIVE, class_bias, CONFIG)
    message = dataclasses.replace(make_message(instances), may_create=False)
    seen = {}
    tracker.advance(tracker.initial(), tracker.prepare(make_frame(0)), [message],
                    observe=lambda name, value: seen.setdefault(name, value))
    alone = make_tracker(Side.COOPERATIVE, class_bias, CONFIG)
    _, output = alone.step(alone.initial(), make_frame(0))
    fused = seen['fused'].sources
    assert bool((fused.reported | (fused.unit < 0)).all())
    assert int(fused.reported.sum()) == len(output.tracks)


def test_when_the_time_is_up_a_frame_goes_on_with_the_units_so_far(instances):
    config = dataclasses.replace(CONFIG, method=dataclasses.replace(CONFIG.method, fusion_time_s=2.5))
    tracker = make_tracker(Side.COOPERATIVE, MANY, config)
    seconds = iter(range(100))
    tracker.stages.clock = lambda: next(seconds)
    messages = [make_message(instances[:5], unit, shift) for unit, shift in (('a', -40.0), ('b', -30.0))]
    _, output = tracker.step(tracker.initial(), make_frame(0), messages)
    assert {m.unit_id for m in output.matches} == {'a'}
    left = dict(output.left_out)
    assert set(left) == {('b', 'no_time')}


def test_three_full_units_are_no_more_work_than_one(instances, monkeypatch):
    tracker = make_tracker(Side.COOPERATIVE, MANY, LIMITED)
    aligned, pairs = [], []
    align, logits = tracker.stages.align, tracker.network.association_logits
    monkeypatch.setattr(tracker.stages, 'align', lambda m, i: aligned.append(len(i)) or align(m, i))
    monkeypatch.setattr(tracker.network, 'association_logits',
                        lambda *a: pairs.append(a[4].numel()) or logits(*a))
    agent = EgoAgent(tracker, limits=Limits.of(CONFIG))
    crowd = tuple(make_message(instances, unit, shift) for unit, shift in (('a', -40.0), ('b', -30.0), ('c', -20.0)))
    result = agent.step(make_frame(0), Received(crowd))
    assert 3 * len(instances) > CONFIG.num_queries >= sum(aligned)
    assert sum(pairs) <= CONFIG.num_queries ** 2
    assert sum(n for (_, reason), n in result.left_out.items() if reason == 'too_many') == (
        3 * len(instances) - CONFIG.num_queries)


def test_boxes_that_are_fused_late_have_the_same_budget():
    """The best of each unit, and those of objects that the vehicle sees in any case."""
    limits = Limits(queries=20, learned=8, received=100, added=9, added_per_unit=6, seconds=1.0)
    agent = EgoAgent(OneCar(), LateTracker(), limits=limits)
    places = [(30.0, 5.0 * i) for i in range(-10, 10)]
    for index in range(5):
        crowd = boxes_of((10, 0), *places, score=np.array([0.1, *np.linspace(0.9, 0.5, 20)]), unit='a')
        honest = boxes_of((-30, 0), (-30, 10), score=0.3, unit='b')
        result = agent.step(make_frame(index), Received(late=tuple(
            dataclasses.replace(m, stamp_ns=index * 100 * MS) for m in (crowd, honest))))
    assert result.left_out == {('a', 'no_room'): 14}
    assert [m.infra_index for m in result.matches] == [0]
    assert sorted(map(tuple, result.tracks.centre[:, :2].round().tolist())) == sorted(
        [(10, 0), (-30, 0), (-30, 10), *places[:6]])


def test_how_objects_move_is_worked_out_once_for_a_message(instances, monkeypatch):
    unit, fits = UnitPairing('u', PairingConfig(), 'model'), []
    monkeypatch.setattr('cooptrack_ros.cooperation.pairing.fitted_velocities',
                        lambda message: fits.append(message) or (np.zeros((len(message.instances), 2)), np.zeros(3)))
    for number in range(2):
        unit.add(UnitMessage('u', number * 100 * MS, 1, number, 'model', instances[:3], np.eye(4)))
    for stamp_ms in range(100, 500, 100):
        used, _ = unit.message_for(stamp_ms * MS, np.eye(4))
        assert used.stamp_ns == 100 * MS and used.motion is not None
    assert len(fits) == 1
