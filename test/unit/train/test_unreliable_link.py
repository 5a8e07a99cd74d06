"""Messages of stage 2 that are late or lost."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cooptrack_ros.train.recipe import LinkConfig
from cooptrack_ros.train.unreliable_link import message_for

LENGTH = 10


class Sent:
    """Instances that know how many they are."""

    def __init__(self, token, count=3):
        self.token, self.count = token, count

    def __getitem__(self, index):
        return Sent(self.token, len(range(self.count)[index]))


def record(index):
    pose = np.eye(4)
    pose[0, 3] = index
    return SimpleNamespace(unit='u', infra_token=str(index), infra_stamp_us=index * 100_000, global_from_lidar=pose,
                           ego_from_infra=np.linalg.inv(pose))


RECORDS = [record(i) for i in range(LENGTH)]


def clips(link, count=200):
    """Return the messages of some clips."""
    return [[message_for(RECORDS[:place + 1], place, LENGTH, Sent, link, [clip]) for place in range(LENGTH)]
            for clip in range(count)]


def test_the_published_link_gives_every_message_in_its_frame():
    for messages in clips(LinkConfig(), 3):
        assert [m.instances.token for m in messages] == [str(i) for i in range(LENGTH)]
        assert all(m.instances.count == 3 and m.stamp_ns == i * 100_000_000 for i, m in enumerate(messages))


def test_messages_are_late_with_the_pose_of_then_seen_from_now():
    ages = [[place - int(m.instances.token) for place, m in enumerate(messages)]
            for messages in clips(LinkConfig(max_age_s=0.5))]
    assert {max(a) for a in ages} == {0, 1, 2, 3, 4, 5} and 0.3 < np.mean([max(a) == 0 for a in ages]) < 0.7
    for messages in clips(LinkConfig(max_age_s=0.5), 5):
        for place, message in enumerate(messages):
            # A unit that stands at the origin is as far behind the vehicle as this has come.
            assert message.ego_from_infra[0, 3] == -place
            assert message.stamp_ns == int(message.instances.token) * 100_000_000


def test_frames_gaps_and_whole_clips_are_lost():
    lost = [[m.instances.count == 0 for m in messages] for messages in clips(LinkConfig(lost_frames=0.2))]
    assert 0.15 < np.mean(lost) < 0.25
    whole = [[m.instances.count == 0 for m in messages] for messages in clips(LinkConfig(lost_clips=0.3))]
    assert {sum(clip) for clip in whole} == {0, LENGTH} and 0.2 < np.mean(whole) < 0.4
    for clip in ([m.instances.count == 0 for m in messages] for messages in clips(LinkConfig(gaps=1.0), 20)):
        assert sum(clip) >= 1 and np.count_nonzero(np.diff(clip)) <= 2


