"""Which message belongs to an ego frame; poses and identities."""

import numpy as np
import pytest

from cooptrack_ros.core.geometry import make_pose, rotation_z
from cooptrack_ros.core.identities import PublicIdentities
from cooptrack_ros.core.pairing import PairingConfig, StaleMessage, UnitBuffer
from cooptrack_ros.core.pose_history import PoseHistory
from cooptrack_ros.core.types import Boxes, InstanceSet, RoadsideMessage


def message(stamp_ms):
    """Return an empty message."""
    return RoadsideMessage('u', stamp_ms * 1_000_000, InstanceSet.empty(4), np.eye(4))


def test_the_newest_message_that_is_neither_too_old_nor_ahead_is_chosen():
    buffer = UnitBuffer(PairingConfig())
    for number, stamp in enumerate((100, 300, 200, 1000)):
        buffer.add(message(stamp), session=1, sequence=number)
    assert buffer.newest_for(400_000_000).stamp_ns == 300_000_000
    assert buffer.newest_for(960_000_000).stamp_ns == 1_000_000_000
    assert buffer.newest_for(940_000_000) is None or buffer.newest_for(940_000_000).stamp_ns < 1_000_000_000
    assert buffer.newest_for(2_000_000_000) is None


def test_a_replay_is_refused_and_a_restart_accepted():
    buffer = UnitBuffer(PairingConfig())
    assert buffer.add(message(100), 1, 5) is True
    with pytest.raises(StaleMessage) as caught:
        buffer.add(message(100), 1, 5)
    assert caught.value.reason == 'replayed'
    assert buffer.add(message(200), 2, 0) is True
    assert buffer.at(100_000_000) is None


def test_a_pose_is_interpolated_between_neighbours_and_never_guessed():
    history = PoseHistory()
    history.add(0, make_pose(rotation_z(0.0), [0, 0, 0]))
    history.add(100_000_000, make_pose(rotation_z(0.2), [2, 0, 0]))
    between = history.at(50_000_000, 0.1)
    assert np.allclose(between, make_pose(rotation_z(0.1), [1, 0, 0]))
    assert history.at(100_000_001, 0.1) is None
    assert history.at(50_000_000, 0.01) is None


def test_time_running_back_forgets_the_poses():
    history = PoseHistory()
    history.add(10**9, np.eye(4))
    history.add(0, np.eye(4))
    assert history.at(10**9, 1.0) is None


def boxes(*ids):
    """Return boxes with identities."""
    n = len(ids)
    return Boxes(np.zeros((n, 3)), np.ones((n, 3)), np.zeros(n), np.zeros((n, 2)), np.zeros(n, np.int64), np.ones(n),
                 np.array(ids, np.int64))


def test_public_identities_are_compact_stable_and_know_their_age():
    identities = PublicIdentities()
    first, _ = identities.translate(boxes(901, 17), 0)
    second, ages = identities.translate(boxes(17, 2050), 500_000_000)
    assert first.track_id.tolist() == [1, 2]
    assert second.track_id.tolist() == [2, 3]
    assert ages.tolist() == [0.5, 0.0]
    identities.reset()
    assert identities.translate(boxes(17), 0)[0].track_id.tolist() == [1]
