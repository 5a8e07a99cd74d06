"""What the nodes say of themselves on /diagnostics."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo
from support.ros_world import STEP_NS, EgoWorld, calibration

from cooptrack_ros.cooperation.extrinsic_error import Misalignment
from cooptrack_ros.nodes.health.health import Health, resident_mb
from cooptrack_ros.nodes.health.unit_health import ClockOffset, UnitHealth

SECOND = 10**9


def values(status: DiagnosticStatus) -> dict[str, str]:
    """Return key -> value."""
    return {v.key: v.value for v in status.values}


def report(health: Health, waiting=(), silent=None) -> list[DiagnosticStatus]:
    """Return the statuses of a report."""
    from builtin_interfaces.msg import Time
    return list(health.report(Time(), list(waiting), silent or {}).status)


def test_delays_are_those_since_the_last_report():
    health = Health('/node', 'car')
    for delay in (0.010, 0.020, 0.030):
        health.published(delay, delay + 0.1)
    reported = values(report(health)[0])
    assert reported['delay_ms.arrival_to_publish.p50'] == '20.0'
    assert reported['delay_ms.arrival_to_publish.p95'] == '29.0'
    assert reported['delay_ms.stamp_to_publish.p50'] == '120.0'
    assert not any(key.startswith('delay_ms') for key in values(report(health)[0]))


def test_stamps_of_another_clock_give_no_delay():
    health = Health('/node', 'car')
    health.published(0.02, 86400.0)
    reported = values(report(health)[0])
    assert reported['delay_ms.stamp_to_publish'].startswith('unknown')
    assert reported['delay_ms.arrival_to_publish.p50'] == '20.0'


def test_levels_follow_what_happened():
    health = Health('/node', 'car')
    assert report(health)[0].level == DiagnosticStatus.OK
    health.drop('image', 'wrong_size', 'too small')
    assert report(health)[0].level == DiagnosticStatus.WARN
    assert report(health)[0].level == DiagnosticStatus.OK
    assert report(health, ['poses'])[0].level == DiagnosticStatus.WARN
    assert report(health, ['poses'], {'odometry': 'no poses'})[0].level == DiagnosticStatus.ERROR


def test_memory_is_reported_in_megabytes():
    assert 10 < resident_mb() < 100_000
    assert 10 < float(values(report(Health('/node', 'car'))[0])['memory_mb']) < 100_000


def unit_report(ages_s=(0.0,), offset_s=0.0, **changes) -> DiagnosticStatus:
    """Return the status of a unit whose messages have these ages; its clock is ahead by ``-offset_s``."""
    health = Health('/node', 'car')
    unit = health.add_unit('rsu_1', 0.5, 0.05)
    for i, age_s in enumerate(ages_s):
        image_ns = i * STEP_NS
        health.image(image_ns, 1000.0 + image_ns / SECOND)
        stamp_ns = image_ns - round(age_s * SECOND)
        unit.received(stamp_ns, 1000.0 + stamp_ns / SECOND + offset_s, 3, health.image_ns, **changes)
    return report(health)[1]


def test_a_unit_has_a_status_of_its_own():
    status = unit_report([0.05, 0.05])
    assert (status.name, status.level, status.hardware_id) == ('/node: unit rsu_1', DiagnosticStatus.OK, 'rsu_1')
    reported = values(status)
    assert (reported['messages'], reported['instances'], reported['late'], reported['age_ms']) == ('2', '6', '0', '50')


def test_old_messages_are_late_and_warned_of():
    status = unit_report([0.05, 0.8])
    assert status.level == DiagnosticStatus.WARN
    assert status.message == 'last message 800 ms old, at most 500 can be used'
    assert values(status)['late'] == '1'


@pytest.mark.parametrize('offset_s', [0.12, -0.3])
def test_the_clock_of_a_unit_is_compared_with_that_of_the_images(offset_s):
    assert values(unit_report([0.0] * 5, offset_s))['clock_offset_ms'] == f'{1e3 * offset_s:.0f}'


def test_a_wrong_model_is_reported_with_both_identities():
    status = unit_report(wrong_model="'other', needed is 'ours'")
    assert status.level == DiagnosticStatus.WARN
    assert values(status)['wrong_model'] == "'other', needed is 'ours'"


def test_the_ego_node_reports_its_units(world):
    ego = EgoWorld(world)
    ego.features(count=2, sequence=0)
    ego.frame()
    ego.features(count=2, sequence=1, model='other')
    ego.frame()

    def units():
        return [s for a in ego.diagnostics for s in a.status if s.name == '/ego/ego_node: unit rsu_1']
    world.until(lambda: any(values(s).get('wrong_model') for s in units()), 'the wrong model')
    reported = values(units()[-1])
    assert reported['wrong_model'] == "'other', needed is 'fake-model'"
    assert (reported['messages'], reported['instances'], reported['sessions'], reported['late']) == ('2', '4', '1', '0')
    assert int(reported['fused']) >= 2
    world.until(lambda: any('delay_ms.arrival_to_publish.p50' in values(s) and 'pose_age_ms' in values(s)
                            for a in ego.diagnostics for s in a.status if s.name == '/ego/ego_node'), 'delays')


def test_a_unit_that_stands_elsewhere_is_named():
    unit = UnitHealth('rsu_1', 0.5, 0.05)
    unit.misaligned(Misalignment(np.deg2rad(1.4), (0.1, 0.2), np.deg2rad(0.2), 120))
    status = unit.status('/ego', 1.0, None, ClockOffset(), '')
    reported = values(status)
    assert [reported[f'misalignment_{k}'] for k in ('yaw_deg', 'yaw_std_deg', 'pairs')] == ['1.40', '0.20', '120']
    unit.received(0, 0.0, 1, None)
    status = unit.status('/ego', 1.0, 0, ClockOffset(), '')
    assert status.level == DiagnosticStatus.WARN and 'off by 1.4 degrees' in status.message


def test_what_is_left_out_of_a_unit_is_counted_and_told_until_the_next_report():
    unit = UnitHealth('rsu_1', 0.5, 0.05)
    unit.received(0, 0.0, 200, None)
    unit.left_out({'no_room': 3, 'too_many': 50})
    unit.left_out({'no_room': 4})
    status = unit.status('/ego', 1.0, 0, ClockOffset(), '')
    assert status.level == DiagnosticStatus.WARN and '7 instances left out: no room' in status.message
    assert (values(status)['too_many'], values(status)['no_room'], values(status)['no_time']) == ('50', '7', '0')
    assert unit.status('/ego', 1.0, 0, ClockOffset(), '').level == DiagnosticStatus.OK


def test_a_unit_whose_clock_is_ahead_is_named():
    unit = UnitHealth('rsu_1', 0.5, 0.05)
    unit.received(2 * SECOND, 0.0, 1, SECOND)
    status = unit.status('/ego', 1.0, SECOND, ClockOffset(), '')
    assert status.level == DiagnosticStatus.WARN and 'clock is 1000 ms ahead' in status.message


def test_every_reason_since_the_last_report_is_named_the_cause_first():
    health = Health('/node', 'car')
    health.drop('camera_info', 'bad_calibration', 'focal length 0')
    for _ in range(9):
        health.drop('image', 'missing_calibration', 'no CameraInfo')
    message = report(health, ['calibration'])[0].message
    assert message == 'waiting for calibration; dropped 10; camera_info: focal length 0; image: no CameraInfo'
    assert report(health)[0].message == 'running'


def test_a_unit_all_of_whose_messages_are_refused_says_so():
    health = Health('/node', 'car')
    health.add_unit('rsu_1', 0.5, 0.05)
    assert report(health)[1].message == 'no message yet'
    for _ in range(11):
        health.drop('rsu_1', 'wrong_version', 'version 2')
    assert report(health)[1].message == '11 messages came, all refused: version 2'


@pytest.mark.parametrize(('source', 'message', 'words'), [
    ('calibration', lambda: calibration(base_frame='car'), "Calibration came on {}, all refused: base_frame is 'car'"),
    ('camera_info', CameraInfo, 'CameraInfo came on {}, all refused: CameraInfo with focal lengths 0.0')])
def test_refused_calibrations_are_not_called_silence(world, capfd, source, message, words):
    info = {'camera__source': 'camera_info', 'image__rectified': True, 'lidar_frame': 'lidar'}
    ego = EgoWorld(world, calibrated=False, base_frame='ego/base_link', **(info if source == 'camera_info' else {}))
    for number in range(3):
        world.publish(f'/ego/ego_node/input/{source}', message())
        world.until(lambda n=number: ego.node.health.refused(source)[0] > n, 'the refusal')
        ego.send()
    expected = '3 ' + words.format(f'/ego/ego_node/input/{source}')

    def texts():
        return [s.message for a in ego.diagnostics for s in a.status if s.name == '/ego/ego_node'
                and s.level == DiagnosticStatus.ERROR]
    world.until(lambda: any(expected in text for text in texts()), 'the refusal in place of silence', 10.0)
    assert 'really sends' not in ''.join(texts())
    logged = capfd.readouterr().err
    # Cause and consequence, though the one follows the other within less than the repetition.
    assert f'dropped {source}: ' in logged and 'dropped image: ' in logged


def test_images_so_slow_that_every_frame_starts_anew_are_warned_of_with_their_rate(world):
    ego = EgoWorld(world)
    for _ in range(5):
        ego.frame()
        ego.now_ns += round(SECOND / 1.5) - STEP_NS

    def warnings():
        return [s.message for a in ego.diagnostics for s in a.status if s.name == '/ego/ego_node'
                and s.level == DiagnosticStatus.WARN]
    world.until(lambda: any('frames come at 1.5 Hz' in text and '0.5 s' in text for text in warnings()), 'a warning')
