"""What is remembered of who was whom, and for how long."""

from dataclasses import replace

import numpy as np
import pytest

from cooptrack_ros.common.types import Boxes, InstanceSet, Match, RoadsideMessage
from cooptrack_ros.cooperation.association_memory import _MOST, AssociationMemory

S = 1_000_000_000


def message(*ids, unit='rsu', session=1, length=4.0):
    """Return a message of objects with identities."""
    n = len(ids)
    boxes = Boxes(np.zeros((n, 3)), np.tile([length, 2.0, 1.5], (n, 1)), np.zeros(n), np.zeros((n, 2)),
                  np.zeros(n, np.int64), np.ones(n), np.array(ids, np.int64))
    return RoadsideMessage(unit, 0, replace(InstanceSet.empty(4), boxes=boxes), np.eye(4), session=session)


def known(*pairs, unit='rsu', session=1, at_s=0):
    """Return a memory after one frame with (track, identity of the unit)."""
    sent = message(*(i for _, i in pairs), unit=unit, session=session)
    return AssociationMemory().after([Match(t, unit, 0, i, 1.0) for t, i in pairs], [sent], at_s * S)


def test_an_instance_is_remembered_as_the_track_that_it_was():
    found = known((7, 3), (8, 5)).recall(message(5, 4, 3), S)
    assert found.track_id.tolist() == [8, -1, 7]
    assert found.weights(np.array([7, -1, 9])).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(('age_s', 'weight'), [(0, 1), (5, 1), (17.5, 0.5), (29, 0.04), (30, 0), (100, 0)])
def test_a_pair_counts_less_from_five_seconds_on_and_nothing_after_thirty(age_s, weight):
    found = known((7, 3)).recall(message(3), round(age_s * S))
    assert found.weights(np.array([7]))[0, 0] == pytest.approx(weight)


def test_what_is_older_than_thirty_seconds_is_forgotten_and_what_is_confirmed_is_not():
    memory = known((7, 3), (8, 4))
    for second in (10, 20, 30, 40):
        memory = memory.after([Match(8, 'rsu', 0, 4, 1.0)], [message(4)], second * S)
    assert memory.pairs == {'rsu': {4: (8, 40 * S)}}


def test_a_unit_that_starts_again_is_not_known_and_others_stay():
    memory = known((7, 3))
    memory = memory.after([Match(9, 'other', 0, 3, 1.0)], [message(3, unit='other', session=5)], S)
    again = message(3, session=2)
    assert memory.recall(again, S).track_id.tolist() == [-1]
    memory = memory.after([], [again], 2 * S)
    assert memory.recall(message(3), 2 * S).track_id.tolist() == [-1]
    assert memory.recall(message(3, unit='other', session=5), 2 * S).track_id.tolist() == [9]


def test_identities_that_a_unit_makes_up_do_not_fill_the_memory():
    memory = known((1, 10**6))
    for frame in range(25):
        ids = range(100 * frame, 100 * frame + 100)
        memory = memory.after([Match(1, 'rsu', 0, i, 1.0) for i in ids], [message(*ids)], frame * S // 10)
    assert len(memory.pairs['rsu']) == _MOST and 2499 in memory.pairs['rsu'] and 10**6 not in memory.pairs['rsu']


def test_instances_without_identity_are_not_remembered():
    assert known((7, -1)).pairs == {}
    assert known((7, 3)).recall(message(-1), 0).weights(np.array([7, -1])).max() == 0


def test_a_known_pair_may_be_half_a_length_farther_apart_and_a_long_vehicle_half_its_length():
    memory, ids = known((7, 3)), np.array([7, 8])
    assert memory.recall(message(3, length=4.0), 0).gates_m(ids, 3.5)[:, 0].tolist() == [5.5, 3.5]
    assert memory.recall(message(3, length=12.0), 0).gates_m(ids, 3.5)[:, 0].tolist() == [9.5, 6.0]
    assert memory.recall(message(3, length=50.0), 0).gates_m(ids, 3.5)[:, 0].tolist() == [12.5, 9.0]


def test_several_messages_are_recalled_one_after_another():
    memory = known((7, 3)).after([Match(9, 'b', 0, 1, 1.0)], [message(1, unit='b')], 0)
    found = memory.recall_all([message(1, 3), message(1, unit='b')], 0)
    assert found.track_id.tolist() == [-1, 7, 9]
    assert memory.recall_all([], 0).track_id.tolist() == []
