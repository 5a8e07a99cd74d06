"""How many messages a second are let through."""

import numpy as np
import pytest

from cooptrack_ros.cooperation.pairing import RateLimit


@pytest.mark.parametrize(('rate_hz', 'every_s', 'expected'), [
    (10.0, 0.1, 1000), (10.0, 0.2, 1000), (10.0, 0.01, 10 + 99), (100.0, 0.001, 20 + 99), (0.5, 0.1, 1 + 49)])
def test_the_average_and_one_burst_pass(rate_hz, every_s, expected):
    limit = RateLimit(rate_hz)
    passed = sum(limit.allows(float(t)) for t in np.arange(1000) * every_s)
    assert passed == pytest.approx(expected, abs=1)


def test_all_pass_without_a_limit():
    limit = RateLimit(float('inf'))
    assert all(limit.allows(0.0) for _ in range(10_000))


def test_a_clock_that_stands_or_runs_back_gives_nothing_away():
    limit = RateLimit(2.0)
    assert [limit.allows(t) for t in (5.0, 5.0, 5.0, 1.0, 5.0)] == [True, True, False, False, True]
