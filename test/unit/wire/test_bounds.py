"""What no network and no filter survives is refused before it gets there."""

from array import array

import numpy as np
import pytest
from test_features import make, over_the_wire

from cooptrack_msgs.msg import PairTransform
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.features import decode_instances
from cooptrack_ros.wire.poses import decode_pair

FAR = np.eye(4)
FAR[0, 3] = 1e300
SHEARED = np.eye(4)
SHEARED[0, 1] = 1e6


def spoilt(name, row, value):
    """Return a message of three instances with one number replaced."""
    message = over_the_wire(make(3))
    values = array('f', getattr(message, name))
    values[row] = value
    setattr(message, name, values)
    return message


@pytest.mark.parametrize(('name', 'value'), [
    # A speed of a position over such an age is infinite.
    ('previous_ages', 1e-45), ('previous_ages', -1.0), ('previous_ages', 1e6), ('previous_positions', 1e30),
    ('ref_points', 1e30), ('ref_points', -5.0)])
def test_a_number_out_of_its_range_is_refused(name, value):
    with pytest.raises(WireError) as refused:
        decode_instances(spoilt(name, 0, value))
    assert refused.value.reason == 'implausible'


def test_an_angle_of_many_turns_is_refused():
    with pytest.raises(WireError, match='angle'):
        decode_instances(spoilt('boxes', 6, 1e20))


@pytest.mark.parametrize('block', ['semantic', 'motion', 'position_embedding'])
def test_finite_features_that_overflow_in_the_network_are_refused(block):
    sent = make(3)
    getattr(sent, block)[1, 2] = 1e30
    with pytest.raises(WireError) as refused:
        decode_instances(over_the_wire(sent))
    assert refused.value.reason == 'implausible'


LEANING = np.eye(4)
LEANING[0, 1] = 0.2


@pytest.mark.parametrize('pose', [
    FAR, SHEARED, LEANING, np.diag([1.0, 1.0, 1.0, 2.0]), np.diag([-1.0, 1.0, 1.0, 1.0]), np.diag([1.7, 1.7, 1.7, 1.0]),
    np.diag([1.0, 1.0, 1.7, 1.0]), np.diag([1.0, -1.0, -1.0, 1.0]), np.eye(4)[[0, 2, 1, 3]] * [[1], [-1], [1], [1]]],
    ids=['far', 'sheared', 'leaning', 'last row', 'mirrored', 'scaled', 'stretched', 'upside down', 'on its side'])
def test_what_is_no_pose_is_refused_as_that_of_a_unit_and_of_a_pair(pose):
    message = over_the_wire(make(1))
    message.map_from_lidar = pose.reshape(16)
    for decode in (lambda: decode_instances(message),
                   lambda: decode_pair(PairTransform(ego_from_infra=pose.reshape(16)))):
        with pytest.raises(WireError) as refused:
            decode()
        assert refused.value.reason == 'bad_pose'


@pytest.mark.parametrize(('sec', 'nanosec'), [(-1, 0), (0, 2_000_000_000)])
def test_impossible_stamps_are_refused(sec, nanosec):
    message = over_the_wire(make(1))
    message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
    with pytest.raises(WireError, match='stamp'):
        decode_instances(message)


def test_a_range_as_large_as_the_sky_is_refused():
    message = over_the_wire(make(1))
    message.pc_range = np.array([0, 0, 0, 1e30, 1, 1], np.float32)
    with pytest.raises(WireError, match='too large'):
        decode_instances(message)
