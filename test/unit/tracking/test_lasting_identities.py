"""An object of a unit goes on being the track that it was: in the tracker's association, and in late fusion."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch
from support.small_tracker import CONFIG, MANY, make_frame, make_message, make_tracker

from cooptrack_ros.common.types import Boxes, FrameOutput, InstanceSet, Match, RoadsideMessage, Side
from cooptrack_ros.cooperation.association_memory import AssociationMemory
from cooptrack_ros.cooperation.late_fusion import ROADSIDE_FIRST_ID, LateConfig, LateTracker
from cooptrack_ros.cooperation.pairing import Received as ReceivedMessages
from cooptrack_ros.model.cooperation.alignment import AlignedInstances
from cooptrack_ros.tracking.ego_agent import EgoAgent
from cooptrack_ros.tracking.fusion import Reach, Received, associate, with_memory

FRAME_NS, CAR, BUS = 100_000_000, (4.5, 1.9, 1.6), (12.0, 2.5, 3.1)


def boxes(points, ids, size=CAR):
    """Return boxes at places on the ground."""
    n = len(points)
    sizes = np.broadcast_to(np.array(size, float), (n, 3))
    return Boxes(np.c_[np.array(points, float).reshape(-1, 2), np.zeros(n)], sizes, np.zeros(n), np.zeros((n, 2)),
                 np.zeros(n, np.int64), np.full(n, 0.8), np.array(ids, np.int64))


def sent(points, ids, frame, size=CAR, session=1, unit='rsu'):
    """Return a message of a unit that stands where the vehicle stands."""
    empty, n = InstanceSet.empty(4), len(points)
    instances = InstanceSet(boxes(points, ids, size), *(
        np.zeros((n, getattr(empty, f.name).shape[1]), np.float32) if getattr(empty, f.name).ndim == 2
        else np.zeros(n, np.float32) for f in dataclasses.fields(InstanceSet)[1:]))
    return RoadsideMessage(unit, frame * FRAME_NS, instances, np.eye(4), session=session)


def learned(own, received):
    """Return affinities as a network gives them: by distance, one half at 4 m."""
    return 4.0 - torch.cdist(own, received)


def associated(frames, remembers, association='learned'):
    """
    Return which tracks each identity of the unit was in each frame, as the tracker associates.

    :param frames: own boxes and message of each frame.
    """
    method = dataclasses.replace(CONFIG.method, max_match_distance_m=3.5, association=association,
                                 association_memory=remembers)
    memory, found = AssociationMemory(), []
    for number, (own, message) in enumerate(frames):
        now_ns = number * FRAME_NS
        points, others = (torch.from_numpy(b.centre).float() for b in (own, message.instances.boxes))
        blank = others[:, :0]
        aligned = AlignedInstances(blank, blank, blank, others, blank, torch.ones(len(others), dtype=torch.bool))
        unit, = with_memory([Received(message, aligned, np.arange(len(others)))], memory, method, now_ns)
        reach = Reach.of(method, unit, torch.from_numpy(own.track_id))
        rows, columns = associate(points, others, learned(points, others), method, reach)
        names = message.instances.boxes.track_id
        pairs = {int(names[c]): int(own.track_id[r]) for r, c in zip(rows.tolist(), columns.tolist(), strict=True)}
        memory = memory.after([Match(t, 'rsu', 0, i, 1.0) for i, t in pairs.items()], [message], now_ns)
        found.append(pairs)
    return found


def late(frames, remembers):
    """Return the same of late fusion, and every identity that was shown."""
    class Sees:
        def initial(self):
            return 0

        def step(self, state, frame, messages=()):
            own = frames[state][0]
            return state + 1, FrameOutput(frame.stamp_ns, own, np.ones(len(own), bool), own, InstanceSet.empty(0))
    agent, found, shown = EgoAgent(Sees(), LateTracker(LateConfig(remembers=remembers))), [], set()
    for number, (_, message) in enumerate(frames):
        result = agent.step(make_frame(number), ReceivedMessages(late=(message,)))
        found.append({m.infra_track_id: m.track_id for m in result.matches})
        shown |= set(result.tracks.track_id.tolist())
    return found, shown


def swinging_delay(longest_s=0.4, speed=10.0, gap=7.0):
    """Yield a column of three cars; what the unit says of them is now more, now less old, and nobody compensates."""
    for number in range(60):
        head, delay_s = speed * number / 10, longest_s / 2 * (1 - np.cos(2 * np.pi * number / 20))
        places = np.array([[head - gap * i, 6.0] for i in range(3)])
        yield boxes(places, [1, 2, 3]), sent(places - [speed * delay_s, 0], [11, 12, 13], number)


@pytest.mark.parametrize('association', ['learned', 'distance'])
def test_pairs_stay_while_the_delay_swings(association):
    frames, same = list(swinging_delay()), {11: 1, 12: 2, 13: 3}
    assert all(pairs == same for pairs in associated(frames, True, association))
    # What it is good for: without it, cars take the places of each other.
    without = associated(frames, False, association)
    assert any(pairs.get(11, 1) != 1 or pairs.get(12, 2) != 2 for pairs in without)


def test_late_pairs_stay_while_the_delay_swings():
    frames = list(swinging_delay(0.5))
    found, shown = late(frames, True)
    assert all(pairs == {11: 1, 12: 2, 13: 3} for pairs in found) and shown == {1, 2, 3}
    assert any(pairs != {11: 1, 12: 2, 13: 3} for pairs in late(frames, False)[0])


def standing_bus(seconds=20, car=True):
    """
    Yield a bus of 12 m of which each side sees one end, and a car behind it.

    Each side places the bus 1 to 4 m towards the end that it sees, and both swing at rates of their own.
    """
    for number in range(10 * seconds):
        ours, theirs = 2.5 - 1.5 * np.cos(number / 9), 2.5 - 1.5 * np.cos(number / 13)
        own = [[20 - ours, 5.0], [11.5, 5.0]]
        yield boxes(own, [1, 2], [BUS, CAR]), sent([[20 + theirs, 5.0], [11.5, 5.0]], [31, 32], number, [BUS, CAR])


@pytest.mark.parametrize('association', ['learned', 'distance'])
def test_a_bus_that_each_side_sees_from_one_end_is_one_object_for_20_s(association):
    frames = list(standing_bus())
    assert all(pairs == {31: 1, 32: 2} for pairs in associated(frames, True, association))
    alone = Counter(31 in pairs for pairs in associated(frames, False, association))
    assert alone[False] > 50


def test_in_late_fusion_too_the_bus_is_one_object():
    found, shown = late(list(standing_bus()), True)
    assert all(pairs == {31: 1, 32: 2} for pairs in found) and shown == {1, 2}


@pytest.mark.parametrize('run', [lambda f: associated(f, True), lambda f: associated(f, True, 'distance'),
                                 lambda f: late(f, True)[0]], ids=['learned', 'distance', 'late'])
def test_a_unit_that_starts_again_is_heard_without_prejudice(run):
    # Its identities begin anew, and the first car is called what the second one was called.
    places = np.array([[20.0, 0], [22.5, 0]])
    between = np.array([[20.9, 0], [23.4, 0]])
    before = [(boxes(places, [1, 2]), sent(places, [11, 12], n)) for n in range(3)]

    def after(session):
        return [(boxes(places, [1, 2]), sent(between, [12, 11], n, session=session)) for n in range(3, 5)]
    assert run([*before, *after(2)])[3:] == [{12: 1, 11: 2}] * 2
    # Within a session it would be the unit's word that the cars have changed places.
    assert run([*before, *after(1)])[3] != {12: 1, 11: 2}


@pytest.fixture(scope='module')
def instances():
    """Return five roadside instances with identities."""
    tracker = make_tracker(Side.ROADSIDE, MANY)
    return tracker.step(tracker.initial(), make_frame(0))[1].instances[:5]


@pytest.mark.parametrize('remembers', [True, False])
def test_the_tracker_remembers_its_matches_where_the_method_wants_it(instances, remembers):
    config = dataclasses.replace(CONFIG, method=dataclasses.replace(CONFIG.method, association_memory=remembers))
    tracker = make_tracker(Side.COOPERATIVE, MANY, config)
    state, output = tracker.step(tracker.initial(), make_frame(0), [make_message(instances)])
    assert output.matches
    expected = {m.infra_track_id: (m.track_id, 0) for m in output.matches} if remembers else None
    assert state.memory.pairs.get('u') == expected
    # Another sequence begins with other identities.
    state, _ = tracker.step(state, make_frame(1, 'b'), [])
    assert state.memory.pairs == {}


def test_a_roadside_track_beside_the_bus_keeps_a_number_of_its_own():
    frames = [(own, sent([*m.instances.boxes.centre[:, :2], [40.0, 10.0]], [31, 32, 33], n, [BUS, CAR, CAR]))
              for n, (own, m) in enumerate(standing_bus(1))]
    assert late(frames, True)[1] == {1, 2, ROADSIDE_FIRST_ID}
