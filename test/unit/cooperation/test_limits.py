"""Limits of what units may take of a frame, and work on near pairs only that gives what all pairs give."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from test_late_fusion import cars

from cooptrack_ros.common.types import InstanceSet, RoadsideMessage
from cooptrack_ros.cooperation.instance_filter import DISTANCE_M, distinct, within_limit
from cooptrack_ros.cooperation.limits import Limits, best, shares
from cooptrack_ros.cooperation.matching import assign, close_pairs


@pytest.mark.parametrize(('wanted', 'each', 'total', 'given'), [
    ([4, 150], 30, 60, [4, 30]), ([150, 150, 150], 60, 60, [20, 20, 20]), ([150, 4, 150], 100, 60, [28, 4, 28]),
    ([], 5, 5, []), ([3, 0], 5, 0, [0, 0])],
    ids=['below the limits', 'alike', 'what one leaves the others get', 'nobody', 'nothing'])
def test_units_share_what_there_is(wanted, each, total, given):
    assert shares(wanted, each, total) == given


def test_the_vehicle_and_its_floor_of_queries_come_first():
    limits = Limits(queries=150, learned=90, received=150, added=150, added_per_unit=30, seconds=1.0)
    assert limits.rooms([150, 150, 150], own=0) == [20, 20, 20]
    assert limits.rooms([150], own=10) == [30] and limits.rooms([150, 2], own=45) == [13, 2]
    assert limits.rooms([150], own=100) == [0]
    assert best(np.array([0.1, 0.9, 0.9, 0.5]), 2).tolist() == [False, True, True, False]


@pytest.mark.parametrize('seed', range(20))
def test_near_pairs_are_those_of_all_pairs(seed):
    random = np.random.default_rng(seed)
    points, others = (random.integers(-40, 40, (n, 2 + seed % 2)) / random.choice([1.0, 2.0, 4.0])
                      for n in random.integers(0, 60, 2))
    reach = random.choice([0.5, 2.0, 3.5, np.inf])
    distance = np.linalg.norm(points[:, None] - others[None], axis=-1)
    rows, columns = close_pairs(points, others, reach)
    assert np.array_equal(np.stack([rows, columns]), np.stack(np.nonzero(distance <= reach)))
    # Distances that differ, so that only one assignment is the best.
    distance += random.uniform(0, 1e-3, distance.shape)
    expected = linear_sum_assignment(np.where(distance <= reach, distance, 1e6)) if distance.size else ([], [])
    near = [(r, c) for r, c in zip(*expected, strict=True) if distance[r, c] <= reach]
    kept = distance[rows, columns] <= reach
    found = assign(rows[kept], columns[kept], distance[rows[kept], columns[kept]])
    assert list(zip(*found, strict=True)) == near


def message(unit, xy, score, may_create=True):
    """Return a message of a unit with cars at places (N, 2)."""
    boxes, none = cars(*map(tuple, xy)).with_(score=score), np.zeros((len(xy), 0), np.float32)
    points = np.zeros((len(xy), 3), np.float32)
    instances = InstanceSet(boxes, points, none, none, none, points, np.zeros(len(xy), np.float32), points)
    return RoadsideMessage(unit, 0, instances, np.eye(4), may_create=may_create)


def distinct_by_all_pairs(messages):
    """Return what ``distinct`` returns, by the rule as it is said."""
    rows = [(not m.may_create, -m.instances.boxes.score[i], k, i) for k, m in enumerate(messages)
            for i in range(len(m.instances))]
    used = []
    for row in sorted(rows):
        place = messages[row[2]].instances.boxes.centre[row[3], :2]
        if not any(other[2] != row[2] and np.linalg.norm(
                messages[other[2]].instances.boxes.centre[other[3], :2] - place) <= DISTANCE_M for other in used):
            used.append(row)
    return [[(k, i) in {u[2:] for u in used} for i in range(len(m.instances))] for k, m in enumerate(messages)]


@pytest.mark.parametrize('seed', range(10))
def test_what_several_units_say_counts_once_by_the_same_rule_as_with_all_pairs(seed):
    random = np.random.default_rng(seed)
    messages = [message(f'u{k}', random.uniform(0, 12, (n, 2)), random.uniform(0, 1, n), random.random() > 0.3)
                for k, n in enumerate(random.integers(1, 15, 3))]
    assert [k.tolist() for k in distinct(messages)] == distinct_by_all_pairs(messages)


def test_of_too_many_instances_the_best_of_each_unit_are_looked_at():
    random = np.random.default_rng(0)
    crowd, few = (message(unit, random.uniform(0, 500, (n, 2)), random.uniform(0, 1, n))
                  for unit, n in (('a', 150), ('b', 4)))
    limited, whole = within_limit([crowd, few], 50)
    assert whole is few and limited.looked_at.sum() == 46
    scores = crowd.instances.boxes.score
    assert scores[limited.looked_at].min() > scores[~limited.looked_at].max()
    keep = distinct([limited, whole])
    assert not keep[0][~limited.looked_at].any() and within_limit([crowd, few], 154) == [crowd, few]
