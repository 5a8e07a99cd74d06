"""No message silences a unit, and no second sender under its name stays unnoticed."""

import numpy as np
import pytest

from cooptrack_ros.common.types import InstanceSet
from cooptrack_ros.cooperation.pairing import PairingConfig, UnitBuffer, UnitMessage
from cooptrack_ros.cooperation.sessions import Sessions, StaleMessage

RATE_HZ, PERIOD_NS = 100.0, 100_000_000
OURS, THEIRS = 7, 99


class Unit:
    """A unit that sends ten messages a second, and others who send under its name."""

    def __init__(self):
        """Start at time 0."""
        self.buffer = UnitBuffer(PairingConfig(1.0, 0.05, RATE_HZ))
        self.now_s, self.number = 0.0, 0

    def send(self, count=1):
        """Let the unit send; return the reasons of what is refused."""
        reasons = []
        for _ in range(count):
            self.now_s += 0.1
            reasons.append(self.other(OURS, self.number))
            self.number += 1
        return [r for r in reasons if r]

    def other(self, session, number, stamp_s=None):
        """Send anything; return the reason if it is refused."""
        stamp = round((self.now_s if stamp_s is None else stamp_s) * 1e9)
        message = UnitMessage('u', stamp, session, number, 'model', InstanceSet.empty(4), np.eye(4))
        try:
            self.buffer.add(message, self.now_s)
        except StaleMessage as error:
            return error.reason
        return None

    def used(self):
        """Return session and number of what a frame of this time uses."""
        found = self.buffer.newest_for(round(self.now_s * 1e9))
        return found and (found.session, found.sequence)


@pytest.mark.parametrize('ahead', [2**64 - 1, 2000, 100])
def test_a_number_that_the_unit_cannot_have_reached_is_refused(ahead):
    unit = Unit()
    unit.send(10)
    assert unit.other(OURS, ahead) == 'implausible_number'
    assert unit.send(20) == [] and unit.used() == (OURS, 29)


def test_numbers_may_go_on_as_far_as_the_rate_allows_in_the_time():
    unit = Unit()
    unit.send(10)
    unit.now_s += 60
    assert unit.other(OURS, 10 + 6001 + 20) == 'implausible_number'
    assert unit.other(OURS, 9 + 6000 + 20) is None


@pytest.mark.parametrize('stamp_s', [None, 3.0, 1e6])
def test_numbers_that_somebody_else_went_past_are_taken_later(stamp_s):
    """Also where that is done again and again, with stamps far ahead."""
    unit = Unit()
    unit.send(10)
    for _ in range(10):
        assert unit.other(OURS, unit.number + 15, stamp_s) is None
        # A number that was used is gone.
        assert unit.send(10) in ([], ['replayed'])
        assert unit.number - 1 in {m.sequence for m in unit.buffer._messages}


def test_a_unit_that_comes_back_after_somebody_else_went_on_for_it_is_heard():
    unit = Unit()
    unit.send(10)
    unit.now_s += 60
    assert unit.other(OURS, 6000) is None
    assert unit.send(20) == [] and unit.used() == (OURS, 29)


def test_a_burst_of_numbers_and_stamps_far_ahead_silences_no_unit_for_more_than_half_a_second():
    unit = Unit()
    unit.send(10)
    for number in range(29, 6000, 20):
        assert unit.other(OURS, number, 1e6 + number) is None
    unit.send(5)
    assert unit.send(10) == []
    # And from then on as before.
    assert unit.other(OURS, 6100) == 'implausible_number' and unit.send(10) == []


def test_a_unit_that_sends_more_than_is_taken_is_heard_again_after_a_pause():
    unit = Unit()
    unit.send(10)
    unit.now_s += 2.0
    assert unit.other(OURS, 5000) == 'implausible_number' and unit.other(OURS, 5000) == 'implausible_number'
    assert unit.other(OURS, 5001) is None and unit.used() == (OURS, 5001)


def test_what_was_taken_is_never_taken_again():
    unit = Unit()
    unit.send(10)
    assert [unit.other(OURS, number) for number in range(10)] == ['replayed'] * 10
    unit.send(2000)
    assert {unit.other(OURS, number, 1.0) for number in range(2010)} == {'replayed'}


def test_a_restart_counts_at_once():
    unit = Unit()
    unit.send(10)
    unit.now_s += 0.1
    assert unit.other(THEIRS, 0) is None and unit.used() == (THEIRS, 0)
    assert unit.buffer.sessions.alternations == 0


def test_a_second_sender_with_its_own_session_is_refused_as_long_as_the_unit_sends():
    unit = Unit()
    unit.send(10)
    reasons = []
    for number in range(100):
        reasons.append(unit.other(THEIRS, number))
        assert unit.send() == [] and unit.used() == (OURS, unit.number - 1)
    assert reasons == [None] + ['other_session'] * 99
    assert unit.buffer.sessions.alternations == 1
    # What it sent before that was known is not used either.
    assert {m.session for m in unit.buffer._messages} == {OURS}


def test_new_sessions_with_every_message_neither_empty_the_buffer_nor_are_used():
    unit = Unit()
    unit.send(32)
    refused = 0
    for number in range(300):
        if number % 5 == 0:
            assert unit.send() == [] and unit.used() == (OURS, unit.number - 1)
        refused += unit.other(1000 + number, 0, 0.001 * number) == 'other_session'
    assert refused >= 290 and len({m.sequence for m in unit.buffer._messages if m.session == OURS}) >= 27


def test_who_has_fallen_silent_is_followed_by_whoever_sends():
    unit = Unit()
    unit.send(10)
    unit.other(THEIRS, 0)
    unit.send()
    assert unit.other(THEIRS, 1) == 'other_session'
    unit.now_s += 1.1
    assert unit.other(THEIRS, 2) is None and unit.used() == (THEIRS, 2)


def test_old_and_future_stamps_do_not_crowd_out_those_of_the_present():
    unit = Unit()
    unit.send(10)
    assert unit.used()
    for number in range(200):
        unit.other(THEIRS, number, -500.0 if number % 2 else 500.0)
    assert unit.used() == (OURS, 9)
    assert unit.send() == [] and unit.used() == (OURS, 10)


def test_after_a_jump_of_time_any_number_of_the_unit_may_follow():
    """A bag that begins in the middle of a recording is played again and again."""
    unit = Unit()
    unit.number = 500
    unit.send(20)
    unit.buffer.restart(-10**12)
    assert unit.other(OURS, 500, -1000.0) is None and unit.other(OURS, 501, -999.9) is None
    assert unit.other(OURS, 5000, -999.8) == 'implausible_number'


def test_recorded_numbers_only_rise():
    sessions = Sessions()
    assert sessions.admit(1, 5, 0) is True and sessions.admit(1, 2**63, 1) is False
    with pytest.raises(StaleMessage, match='replayed|after'):
        sessions.admit(1, 6, 2)
    assert sessions.admit(2, 0, 3) is True and sessions.admit(1, 2**63 + 1, 4) is True
