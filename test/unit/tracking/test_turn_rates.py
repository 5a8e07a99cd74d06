"""How fast tracks turn, from their headings."""

import numpy as np
import pytest

from cooptrack_ros.common.geometry import wrap_angle
from cooptrack_ros.common.types import Boxes
from cooptrack_ros.tracking.track_history import TurnRates

STEP_NS = 100_000_000


class Watched(TurnRates):
    """Returns the rates after every frame."""

    def observe(self, boxes, stamp_ns, reset):
        super().observe(boxes, stamp_ns, reset)
        return self.rates()


def boxes(*yaw):
    """Return cars that are turned so; their numbers are 1, 2, ..."""
    n = len(yaw)
    return Boxes(np.zeros((n, 3)), np.ones((n, 3)), np.array(yaw), np.zeros((n, 2)), np.zeros(n, np.int64),
                 np.ones(n), np.arange(1, n + 1))


def test_a_car_that_turns_through_the_opposite_direction_goes_on_turning():
    rates, found = Watched(), []
    for frame in range(60):
        found.append(rates.observe(boxes(wrap_angle(np.radians(30) + 0.06 * frame), wrap_angle(-0.02 * frame)),
                                   frame * STEP_NS, False))
    assert [len(f) for f in found[:5]] == [0, 0, 0, 2, 2]
    for rate in found[5:]:
        assert (rate[1], rate[2]) == pytest.approx((0.6, -0.2))


def test_a_heading_that_jumps_to_its_opposite_is_no_turn():
    rates = Watched()
    for frame in range(12):
        found = rates.observe(boxes(0.5 + np.pi * (frame >= 6)), frame * STEP_NS, False)
        assert found.get(1, 0.0) == pytest.approx(0.0, abs=1e-9)
    assert found


def test_noise_of_single_headings_is_smoothed_over_a_second():
    rates, random = Watched(), np.random.default_rng(0)
    found = [rates.observe(boxes(0.3 * frame / 10 + random.normal(0, 0.01)), frame * STEP_NS, False).get(1)
             for frame in range(40)]
    assert np.abs(np.array(found[10:]) - 0.3).max() < 0.04


def test_tracks_that_are_gone_or_end_with_a_reset_are_forgotten():
    rates = Watched()
    for frame in range(5):
        assert rates.observe(boxes(0.1 * frame), frame * STEP_NS, False).keys() == ({1} if frame >= 3 else set())
    rates.observe(boxes(), 5 * STEP_NS, False)
    assert not rates.observe(boxes(0.6), 6 * STEP_NS, False)
    for frame in range(7, 12):
        rates.observe(boxes(0.1 * frame), frame * STEP_NS, False)
    assert not rates.observe(boxes(1.2), 12 * STEP_NS, True)
