"""Which message belongs to an ego frame; poses and identities."""

import numpy as np
import pytest

from cooptrack_ros.common.timeline import StampOrder, TimeGuard
from cooptrack_ros.common.types import Boxes, InstanceSet
from cooptrack_ros.cooperation.pairing import PairingConfig, UnitBuffer, UnitMessage
from cooptrack_ros.cooperation.sessions import StaleMessage
from cooptrack_ros.tracking.identities import PublicIdentities


def message(stamp_ms, session=1, sequence=0):
    """Return an empty message."""
    return UnitMessage('u', stamp_ms * 1_000_000, session, sequence, 'model', InstanceSet.empty(4), np.eye(4))


def test_the_newest_message_that_is_neither_too_old_nor_ahead_is_chosen():
    buffer = UnitBuffer(PairingConfig())
    for number, stamp in enumerate((100, 300, 200, 1000)):
        buffer.add(message(stamp, sequence=number))
    assert buffer.newest_for(400_000_000).stamp_ns == 300_000_000
    assert buffer.newest_for(960_000_000).stamp_ns == 1_000_000_000
    assert buffer.newest_for(940_000_000) is None or buffer.newest_for(940_000_000).stamp_ns < 1_000_000_000
    assert buffer.newest_for(2_000_000_000) is None


def test_a_replay_is_refused_and_a_restart_accepted():
    buffer = UnitBuffer(PairingConfig())
    assert buffer.add(message(100, 1, 5)) is True
    with pytest.raises(StaleMessage) as caught:
        buffer.add(message(100, 1, 5))
    assert caught.value.reason == 'replayed'
    restarted = message(200, 2, 0)
    assert buffer.add(restarted) is True
    # A message of somebody else must not cost those of the unit; but identities are those of a session.
    assert buffer.at(100_000_000) is not None and buffer.before(restarted) == []
    assert buffer.newest_for(250_000_000) is restarted


def boxes(*ids):
    """Return boxes with identities."""
    n = len(ids)
    return Boxes(np.zeros((n, 3)), np.ones((n, 3)), np.zeros(n), np.zeros((n, 2)), np.zeros(n, np.int64), np.ones(n),
                 np.array(ids, np.int64))


def test_after_a_jump_of_time_recorded_numbers_are_taken_again():
    buffer = UnitBuffer(PairingConfig())
    for number in range(50):
        buffer.add(message(100 * number, sequence=number))
    # The unit's first messages of the second pass come before the ego vehicle knows of the jump.
    for number in range(2):
        with pytest.raises(StaleMessage):
            buffer.add(message(100 * number, sequence=number))
    buffer.restart(100_000_000)
    assert buffer.newest_for(120_000_000).stamp_ns == 100_000_000
    buffer.add(message(200, sequence=2))
    with pytest.raises(StaleMessage):
        buffer.add(message(200, sequence=2))


def test_after_a_jump_of_time_a_new_session_is_kept_and_what_lies_ahead_is_forgotten():
    buffer = UnitBuffer(PairingConfig())
    buffer.add(message(5000, session=1, sequence=9))
    buffer.add(message(100, session=2, sequence=0))
    buffer.restart(100_000_000)
    assert buffer.at(100_000_000) is not None
    buffer = UnitBuffer(PairingConfig())
    buffer.add(message(5000, session=1, sequence=9))
    buffer.restart(100_000_000)
    assert buffer.at(5_000_000_000) is None
    assert buffer.add(message(200, session=1, sequence=0)) is False


def test_late_and_repeated_stamps_are_reported_from_a_jump():
    guard = TimeGuard()
    stamps = (5.0, 5.1, 5.1, 5.0, 5.2, 1.0, 1.1)
    assert [guard.check(round(s * 1e9)) for s in stamps] == [
        StampOrder.FIRST, StampOrder.NEXT, StampOrder.DUPLICATE, StampOrder.LATE, StampOrder.NEXT, StampOrder.JUMP,
        StampOrder.NEXT]


def test_public_identities_are_compact_stable_and_know_their_age():
    identities = PublicIdentities()
    identities.observe(boxes(901, 17), 0)
    assert identities.translate(boxes(901, 17)).track_id.tolist() == [1, 2]
    second = boxes(17, 2050)
    identities.observe(second, 500_000_000)
    assert identities.translate(second).track_id.tolist() == [2, 3]
    assert identities.ages_s(second, 500_000_000).tolist() == [0.5, 0.0]
    identities.reset()
    identities.observe(boxes(17), 0)
    assert identities.translate(boxes(17)).track_id.tolist() == [1]


def test_a_track_that_is_not_reported_for_a_few_frames_keeps_its_public_identity():
    identities = PublicIdentities(seen_score=0.5)
    for step, seen in enumerate((boxes(7), boxes(), boxes(7).with_(score=np.array([0.4])))):
        identities.observe(seen, step * 100_000_000)
    assert identities.translate(boxes(7)).track_id.tolist() == [1]
    assert identities.missed_frames(boxes(7)).tolist() == [2]
