"""Times of synthetic scenes are times that ROS messages can hold."""

import pytest

from cooptrack_ros.data.synth.writer import EPOCH_US, stamp

END_OF_ROS_TIME_S = 2**31
LAST = 521_328
"""The last seed whose scene begins before that."""


@pytest.mark.parametrize('seed', [0, 1, 29_999, 500_000, LAST])
def test_seeds_with_valid_times_keep_them(seed):
    assert int(stamp(seed, 123_456)) == 1_626_155_124_123_456 + seed * 10**9


@pytest.mark.parametrize('seed', [LAST + 1, 10**6, 2**32 - 1, 2**63, 10**30])
def test_times_of_large_seeds_stay_within_ros_time(seed):
    assert EPOCH_US < int(stamp(seed, 500_000_000)) < END_OF_ROS_TIME_S * 10**6
