"""What /diagnostics say of one unit."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from cooptrack_ros.cooperation.extrinsic_error import Misalignment
from cooptrack_ros.cooperation.unit_pose import Movement
from cooptrack_ros.nodes.health.unit_health import ClockOffset, UnitHealth


def unit():
    """Return a unit whose messages come."""
    health = UnitHealth('rsu_1', 0.5, 0.05)
    health.received(0, 0.0, 1, None)
    return health


def told(health, refused=0, refusal='', silence=''):
    """Return level, message and values of its status."""
    status = health.status('/ego', 1.0, 0, ClockOffset(), silence, refused, refusal)
    return status.level, status.message, {v.key: v.value for v in status.values}


def off(degrees=0.0, metres=0.0):
    """Return an error of a pose."""
    return Misalignment(np.deg2rad(degrees), (metres, 0.0), 0.01, 50)


@pytest.mark.parametrize(('found', 'is_corrected', 'words'), [
    (off(0.4, 0.4), True, ''), (off(0.7), True, 'corrected by 0.7 degrees and 0.0 m'), (off(0.7), False, ''),
    (off(0, 0.6), True, 'corrected by 0.0 degrees and 0.6 m'), (off(0, 1.2), False, ''),
    (off(1.2), False, 'seems off by 1.2 degrees and 0.0 m'),
    (off(0, 1.6), False, 'seems off by 0.0 degrees and 1.6 m')])
def test_a_pose_that_is_corrected_is_warned_of_earlier_and_by_how_much(found, is_corrected, words):
    health = unit()
    health.misaligned(found, None, is_corrected)
    level, message, values = told(health)
    assert (level == DiagnosticStatus.WARN) is bool(words) and words in message
    assert values['misalignment_corrected'] == str(is_corrected).lower()


@pytest.mark.parametrize('is_corrected', [False, True])
def test_a_pose_that_is_off_now_is_told_though_the_mean_of_a_minute_is_not(is_corrected):
    health = unit()
    health.misaligned(off(-0.3), None, is_corrected, off(1.2))
    level, message, values = told(health)
    assert level == DiagnosticStatus.WARN
    assert message == 'its pose seems off by 1.2 degrees and 0.0 m in the last ten seconds: check its calibration'
    assert (values['misalignment_yaw_deg'], values['misalignment_now_yaw_deg']) == ('-0.30', '1.20')
    health.misaligned(off(0.3), None, is_corrected, off(0.9, 1.4))
    assert told(health)[:2] == (DiagnosticStatus.OK, 'messages come')


def test_what_is_left_out_is_told_once():
    health = unit()
    health.left_out({'no_room': 7, 'no_time': 0})
    level, message, _ = told(health)
    assert level == DiagnosticStatus.WARN
    assert message == ('7 instances left out: no room for more objects of units (fusion.max_added_per_unit, '
                       'fusion.max_added)')
    assert told(health)[0] == DiagnosticStatus.OK


def test_objects_that_wander_are_named_with_the_amount():
    health = unit()
    health.misaligned(off(), off(0.8, 0.9))
    level, message, values = told(health)
    assert level == DiagnosticStatus.WARN and 'wander: by 0.8 degrees and 0.9 m against the minute before' in message
    assert (values['misalignment_change_yaw_deg'], values['misalignment_change_shift_m']) == ('0.80', '0.90')
    health.misaligned(off(), None)
    assert told(health)[:2] == (DiagnosticStatus.OK, 'messages come')


@pytest.mark.parametrize(('movement', 'words'), [
    (Movement(0.1, 0.1), ''), (Movement(0.6, 0.0), 'moved by 0.6 m and 0.0 degrees'),
    (Movement(0.0, 2.9), 'moved by 0.0 m and 2.9 degrees')])
def test_a_unit_that_says_it_moves_is_named(movement, words):
    health = unit()
    health.moved(movement)
    # Back where it was before anybody looked.
    health.moved(Movement(0.0, 0.0))
    level, message, _ = told(health)
    assert (level == DiagnosticStatus.WARN) is bool(words) and words in message
    assert told(health)[0] == DiagnosticStatus.OK


def test_a_unit_that_stands_far_away_is_named():
    health = unit()
    health.placed(400.0)
    assert told(health)[0] == DiagnosticStatus.OK
    health.placed(1e7)
    level, message, values = told(health)
    assert level == DiagnosticStatus.WARN and '10000000 m from the vehicle' in message
    assert values['distance_m'] == '10000000'


def test_what_is_refused_is_told_until_the_next_report():
    health = unit()
    level, message, _ = told(health, 3, '4 bytes are no message')
    assert level == DiagnosticStatus.WARN and message == '3 messages refused: 4 bytes are no message'
    assert told(health, 3, '4 bytes are no message')[0] == DiagnosticStatus.OK


def test_sessions_that_alternate_are_named_beside_other_warnings():
    health = unit()
    health.restarted(0)
    assert told(health)[0] == DiagnosticStatus.OK
    health.restarted(1)
    _, message, values = told(health, 1, 'x')
    assert message == '1 messages refused: x; sessions alternate: do two send under the name of the unit?'
    assert (values['sessions'], values['alternations']) == ('2', '1')
    assert told(health, 1, 'x')[0] == DiagnosticStatus.OK


def test_old_stamps_among_those_of_the_present_are_named():
    health = unit()
    for number in range(1, 6):
        now_ns = number * 10**8
        health.received(now_ns, 0.0, 1, now_ns)
        health.received(now_ns - 5 * 10**9, 0.0, 1, now_ns)
    health.received(6 * 10**8, 0.0, 1, 6 * 10**8)
    status = health.status('/ego', 1.0, 6 * 10**8, ClockOffset(), '')
    assert status.level == DiagnosticStatus.WARN and status.message.startswith('stamps ran back 5 times')


def test_a_slow_link_is_no_second_sender():
    health = unit()
    for number in range(1, 6):
        health.received((number - 9 * (number % 2)) * 10**8, 0.0, 1, number * 10**8)
    assert 'ran back' not in health.status('/ego', 1.0, 5 * 10**8, ClockOffset(), '').message


def test_silence_wins_and_everything_can_only_be_read():
    health = unit()
    health.received(0, 0.0, 1, None, "'\x1b[2J\n'")
    assert told(health)[:2] == (DiagnosticStatus.WARN, r"wrong model: '\x1b[2J\n'")
    assert told(health, silence='gone\n')[:2] == (DiagnosticStatus.ERROR, r'gone\n')
