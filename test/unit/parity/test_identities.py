"""Numbers of new rows may be exchanged by a near-tie of scores, and by nothing else."""

import numpy as np
import pytest

from cooptrack_ros.parity.compare import Comparison
from cooptrack_ros.parity.identities import Renumbering, may_be_exchanged, same_rows

IDS = np.array([10, 11, 12, 13])
SCORES = np.array([0.5, 0.3, 0.3 - 5e-7, 0.0])


def test_numbers_of_a_near_tie_are_exchanged_and_stay_so():
    numbers = Renumbering()
    numbers.learn([(10, 10), (11, 12), (12, 11)], may_be_exchanged(IDS, SCORES))
    assert numbers.of([12, 11, 10, 99]).tolist() == [11, 12, 10, 99]
    assert numbers.exchanged == {11: 12, 12: 11}
    numbers.learn([(11, 11)], lambda one, other: True)
    assert numbers.of([11]).tolist() == [12]


def test_numbers_given_later_may_be_shifted_but_known_ones_not():
    numbers = Renumbering()
    numbers.learn([(10, 10), (11, 12)], may_be_exchanged(IDS, SCORES))
    numbers.learn([(20, 21), (22, 10), (10, 30)], lambda one, other: False)
    assert numbers.of([20, 22, 10]).tolist() == [21, 22, 10]


@pytest.mark.parametrize('pair', [(10, 11), (11, 10), (12, 13), (11, 99)])
def test_without_a_near_tie_nothing_is_exchanged(pair):
    numbers = Renumbering()
    numbers.learn([pair], may_be_exchanged(IDS, SCORES))
    assert numbers.exchanged == {}


def test_rows_agree_only_where_there_is_one_of_each():
    ours = np.array([[0.0, 1], [5, 5], [7, 7], [7, 7.0005]])
    recorded = np.array([[5.0, 5.0005], [0, 1], [7, 7]])
    assert same_rows(ours, recorded, 1e-3) == [(0, 1), (1, 0)]
    assert same_rows(ours[:0], recorded, 1e-3) == []


@pytest.mark.parametrize(('errors', 'allowed', 'verdict'), [
    ([0, 0, 0], 0.0, 'ok'), ([0, 1.5e-3, 0], 2e-4, 'ok'), ([0, 2e-3, 0], 0.0, 'FAIL'), ([0, 6e-3, 0], 2e-4, 'FAIL'),
    ([2e-3, 2e-3, 0], 2e-4, 'FAIL'), ([0, np.nan, 0], 2e-4, 'FAIL')])
def test_a_single_row_may_have_a_small_relative_error(errors, allowed, verdict):
    golden = np.full((3, 4), 10.0)
    comparison = Comparison()
    comparison.close_rows('motion', golden + np.array(errors)[:, None], golden, 5e-4, allowed)
    assert [r.verdict for r in comparison.results] == [verdict]
