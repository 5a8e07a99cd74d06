"""Delay, loss and noise between roadside unit and vehicle."""

import numpy as np
import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import rotation_z
from cooptrack_ros.common.types import InstanceSet, RoadsideMessage
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


@pytest.mark.parametrize(('latency_ms', 'expected'), [(0, [0, 500, 1000]), (100, [None, 0, 500]),
                                                      (400, [None, 0, 500]), (600, [None, None, 0])])
def test_a_message_is_used_in_the_frame_it_is_due_in_where_frames_are_rare(latency_ms, expected):
    rare = [message for i, message in enumerate(sent(11)) if i % 5 == 0]
    assert stamps_ms(Channel(latency_ms=latency_ms).deliver('x', rare, 0.5)) == expected
    lossy = Channel(latency_ms=latency_ms, drop_rate=0.5, seed=3)
    ages = [500 * i - at for i, at in enumerate(stamps_ms(lossy.deliver('x', rare, 0.5))) if at is not None]
    assert set(ages) <= {500 * i - at for i, at in enumerate(expected) if at is not None}


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
                                      {'latency_ms': float('nan')}, {'translation_noise_m': -1},
                                      {'noise_scope': 'nowhere'}, {'max_age_ms': 1e9}, {'yaw_error_deg': 91}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UserError, match='must be'):
        Channel(**settings)


def test_a_wrong_calibration_turns_the_unit_about_itself():
    pose = next(Channel(yaw_error_deg=90.0).deliver('x', sent(1)))[0].ego_from_infra
    right = next(Channel().deliver('x', sent(1)))[0].ego_from_infra
    assert np.allclose(pose @ [1, 0, 0, 1], right @ [0, 1, 0, 1]) and np.allclose(pose[:3, 3], right[:3, 3])


def test_a_message_is_used_again_until_it_is_too_old():
    arrived = stamps_ms(Channel(rate_hz=2.0, max_age_ms=300.0).deliver('x', sent(11)))
    assert arrived == [0, 0, 0, 0, None, 500, 500, 500, 500, None, 1000]
    # As in the paper: in its own frame only.
    assert stamps_ms(Channel(rate_hz=2.0).deliver('x', sent(7))) == [0, None, None, None, None, 500, None]


def test_what_was_overtaken_or_comes_twice_changes_nothing():
    arrived = stamps_ms(Channel(jitter_ms=400.0, duplicate_rate=0.5, max_age_ms=1000.0, seed=2).deliver('x', sent(200)))
    used = [a for a in arrived if a is not None]
    assert used == sorted(used)
    ages = [100 * i - a for i, a in enumerate(arrived) if a is not None]
    assert min(ages) >= 0 and 100 < max(ages) <= 500


def test_a_message_knows_those_of_the_second_before_it():
    def before(message):
        return [m.stamp_ns // 1_000_000 for m in message.earlier]
    arrived = [before(m[0]) for m in Channel().deliver('x', sent(13))]
    assert arrived[:3] == [[], [0], [0, 100]] and arrived[12] == list(range(200, 1200, 100))
    slow = [before(m[0]) for m in Channel(rate_hz=2.0, max_age_ms=500.0).deliver('x', sent(12))]
    assert (slow[4], slow[5], slow[10]) == ([], [0], [0, 500])


def turns_deg(poses):
    """Return the turns about z of poses."""
    return np.array([np.rad2deg(np.arctan2(p[1, 0], p[0, 0])) for p in poses])


def test_noise_reaches_what_its_scope_says():
    def poses(scope):
        arrived = [m[0] for m in Channel(rotation_noise_deg=1.0, translation_noise_m=0.5, noise_scope=scope).deliver(
            'x', sent(50))]
        return [m.ego_from_infra for m in arrived], [getattr(m, 'alignment_pose', None) for m in arrived]
    everywhere, alignment = poses('everywhere')
    assert alignment == [None] * 50 and turns_deg(everywhere).std() > 0.5
    points, alignment = poses('points')
    np.testing.assert_array_equal(points, everywhere)
    assert not turns_deg(alignment).any()
    true, alignment = poses('alignment')
    assert not turns_deg(true).any() and np.array_equal(alignment, everywhere)


def test_constant_noise_is_drawn_once_for_each_sequence():
    channel = Channel(rotation_noise_deg=1.0, translation_noise_m=0.5, constant_noise=True)
    poses = np.array([m[0].ego_from_infra for m in channel.deliver('x', [*sent(4), *sent(4, 'b', 400)])])
    shifts = poses[:, :2, 3] - np.array([[i % 4, 0] for i in range(8)])
    for part in (turns_deg(poses), shifts[:, 0], shifts[:, 1]):
        assert np.ptp(part[:4]) < 1e-9 and np.ptp(part[4:]) < 1e-9 and abs(part[0] - part[4]) > 1e-3


def test_a_turn_leaves_the_place_of_the_unit():
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation_z(0.3), [5.0, 2.0, 1.0]
    message = RoadsideMessage('rsu_1', 0, InstanceSet.empty(4), pose)
    moved = next(Channel(rotation_noise_deg=2.0).deliver('x', [('a', message)]))[0].ego_from_infra
    np.testing.assert_array_equal(moved[:3, 3], pose[:3, 3])
    assert np.allclose(moved[:3, :3] @ moved[:3, :3].T, np.eye(3)) and not np.allclose(moved, pose)
