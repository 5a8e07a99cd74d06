"""Delay, loss and noise between roadside unit and vehicle."""

import numpy as np
import pytest

from cooptrack_ros.core.errors import UserError
from cooptrack_ros.core.types import InstanceSet, RoadsideMessage
from cooptrack_ros.eval.channel import Channel


def sent(count, sequence='a', start_ms=0):
    """Return messages of a unit that stands ever farther ahead, one in 100 ms."""
    for i in range(count):
        pose = np.eye(4)
        pose[0, 3] = i
        yield sequence, RoadsideMessage('rsu_1', (start_ms + 100 * i) * 1_000_000, InstanceSet.empty(4), pose)


def stamps_ms(arrived):
    """Return the time of each arrived message or None."""
    return [messages[0].stamp_ns // 1_000_000 if messages else None for messages in arrived]


def test_a_good_link_delivers_everything_unchanged():
    messages = [m for _, m in sent(3)]
    arrived = list(Channel().deliver('x', sent(3)))
    assert stamps_ms(arrived) == [0, 100, 200]
    assert all(np.array_equal(a[0].ego_from_infra, m.ego_from_infra) for a, m in zip(arrived, messages, strict=True))


def test_a_late_message_keeps_its_stamp_and_gets_the_pose_of_now():
    arrived = list(Channel(latency_ms=200).deliver('x', sent(5)))
    assert stamps_ms(arrived) == [None, None, 0, 100, 200]
    assert arrived[4][0].ego_from_infra[0, 3] == 4


def test_delay_starts_anew_with_each_sequence():
    both = [*sent(3), *sent(3, 'b', 300)]
    assert stamps_ms(Channel(latency_ms=100).deliver('x', both)) == [None, 0, 100, None, 300, 400]


def test_lost_messages_leave_their_frame_empty():
    arrived = stamps_ms(Channel(drop_rate=0.5, seed=1).deliver('x', sent(200)))
    assert 70 < arrived.count(None) < 130
    assert all(a is None or a == 100 * i for i, a in enumerate(arrived))
    assert stamps_ms(Channel(drop_rate=1.0).deliver('x', sent(5))) == [None] * 5


def test_noise_turns_the_pose_and_repeats_with_its_seed():
    channel = Channel(rotation_noise_deg=2.0)
    first, again = (np.array([m[0].ego_from_infra for m in channel.deliver('x', sent(400))]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    angles = np.rad2deg(np.arctan2(first[:, 1, 0], first[:, 0, 0]))
    assert abs(angles.mean()) < 0.4 and 1.7 < angles.std() < 2.3
    np.testing.assert_array_equal(first[:, 0, 3], np.arange(400))
    other = np.array([m[0].ego_from_infra for m in channel.deliver('y', sent(400))])
    assert not np.array_equal(first, other)


@pytest.mark.parametrize('settings', [{'latency_ms': -1}, {'rotation_noise_deg': 100}, {'drop_rate': 1.5},
                                      {'latency_ms': float('nan')}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UserError, match='must be'):
        Channel(**settings)


def test_a_wrong_calibration_turns_the_unit_about_itself():
    pose = next(Channel(yaw_error_deg=90.0).deliver('x', sent(1)))[0].ego_from_infra
    right = next(Channel().deliver('x', sent(1)))[0].ego_from_infra
    assert np.allclose(pose @ [1, 0, 0, 1], right @ [0, 1, 0, 1]) and np.allclose(pose[:3, 3], right[:3, 3])
