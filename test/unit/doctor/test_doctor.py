"""What the doctor finds, from plain data: every finding names what to change."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from cooptrack_ros.cli.main import main
from cooptrack_ros.doctor.findings import CALIBRATION, FEATURES, IMAGES, TRACKS, findings_of
from cooptrack_ros.doctor.observe import GraphObserver
from cooptrack_ros.doctor.snapshot import NodeSeen, Snapshot, StatusSeen, TopicSeen
from cooptrack_ros.nodes.health.silence import Endpoint, Wanted
from cooptrack_ros.sensors.calibration_check import Finding

NODE, IMAGE, CAL, UNIT = '/ego/ego_node', '/ego/image/compressed', '/ego/calibration', '/infra/rsu_1/features'
ANSWERS = f'{NODE}/output/tracks'
EXAMPLE = str(Path(__file__).parents[3] / 'config/calibration.example.yaml')
NOW_NS = 1_700_000_000 * 10**9
SECONDS = 5.0
INPUTS = (Wanted(IMAGE, IMAGE, IMAGE, IMAGES[0], 'reliable', 'volatile', 'image.qos'),
          Wanted(CAL, CAL, CAL, CALIBRATION, 'reliable', 'transient_local'),
          Wanted(UNIT, UNIT, UNIT, FEATURES, 'reliable', 'volatile'))


def topic(kind, node='/driver', count=50, reliability='reliable', durability='volatile', offset_s=0.0):
    """Return a topic at 10 Hz whose last stamp is now plus an offset."""
    stamps = [NOW_NS + round(1e9 * (offset_s - (count - 1 - i) / 10)) for i in range(count)]
    return TopicSeen(kind, [Endpoint(node, kind, reliability, durability)], stamps, count)


def snapshot(state='active', parameters=None, **changes) -> Snapshot:
    """Return a healthy system with some changes."""
    topics = {IMAGE: topic(IMAGES[0]), CAL: topic(CALIBRATION, count=1, durability='transient_local'),
              UNIT: topic(FEATURES, '/infra/rsu_1/roadside_node'), ANSWERS: topic(TRACKS, NODE)}
    topics |= changes.pop('topics', {})
    inputs = INPUTS if state == 'active' else ()
    node = NodeSeen(NODE, 'ego', state, parameters or {}, inputs)
    base = Snapshot(SECONDS, 7, 'rmw_fastrtps_cpp', {}, NOW_NS, (node,), (), topics,
                    {name: [t.kind] for name, t in topics.items() if t.publishers}, (), 10**9)
    return dataclasses.replace(base, **changes)


def only(seen: Snapshot):
    """Return the only finding."""
    finding, = findings_of(seen)
    return finding


def test_nothing_is_found_in_a_healthy_system():
    assert findings_of(snapshot()) == []


def test_messages_that_cannot_be_read_are_reported_with_the_reason():
    seen = topic(FEATURES, '/infra/rsu_1/roadside_node')
    seen.refused, seen.refusal = 3, '12 bytes are no InstanceFeatureArray'
    finding = only(snapshot(topics={UNIT: seen}))
    assert finding.problem == f'messages on {UNIT} cannot be read'
    assert finding.evidence == '3 of 50, the last: 12 bytes are no InstanceFeatureArray'


def test_what_others_say_can_only_be_read():
    observer = GraphObserver(SimpleNamespace(create_subscription=lambda *_: None), lambda seconds: None)
    observer._on_diagnostics(DiagnosticArray(status=[DiagnosticStatus(
        level=DiagnosticStatus.WARN, name=f'{NODE}\x1b', message='\x1b[2J\nforged', values=[
            KeyValue(key='wrong_model', value='\x07' * 10_000)])]))
    status, = observer._statuses.values()
    assert (status.name, status.message) == (f'{NODE}\\x1b', r'\x1b[2J\nforged')
    assert len(status.values['wrong_model']) <= 1000 and status.values['wrong_model'].isprintable()
    assert str(Finding('a\n1. forged', '\x1b[2J', 'b')).count('\n') == 2


def test_types_that_are_not_installed_are_not_listened_to():
    observer = GraphObserver(SimpleNamespace(create_subscription=lambda *_: None), lambda seconds: None)
    for kind in ('evil', 'os/msg/path', 'nav_msgs/msg/Nothing'):
        observer._listen(f'/{kind}', kind)
    assert all('installed' in seen.refusal for seen in observer._topics.values()) and len(observer._topics) == 3


def test_an_empty_domain_is_reported_with_what_is_there():
    finding = only(Snapshot(SECONDS, 7, 'rmw', {}, NOW_NS, other_nodes=('/talker',)))
    assert 'neither an ego node nor a roadside node' in finding.problem
    assert 'ROS_DOMAIN_ID 7: /talker' in finding.evidence


def test_a_node_that_is_not_active_is_reported_how_to_become_so():
    finding = only(snapshot('unconfigured'))
    assert finding.problem == f'{NODE} is not active'
    assert f'ros2 lifecycle set {NODE} configure' in finding.advice
    assert 'does not answer' in only(snapshot('')).problem


def test_a_best_effort_camera_is_reported_with_the_parameter():
    finding = only(snapshot(topics={IMAGE: topic(IMAGES[0], reliability='best_effort')}))
    assert finding.problem == f'{NODE} gets nothing on {IMAGE}'
    assert 'image.qos to sensor_data' in finding.advice


def test_mixed_reliability_is_reported_with_zenoh_alone():
    seen = snapshot(parameters={'image.qos': 'sensor_data', 'features.reliability': 'reliable'})
    assert findings_of(seen) == []
    finding = only(dataclasses.replace(seen, rmw='rmw_zenoh_cpp'))
    assert finding.problem == f'{NODE} mixes best-effort and reliable topics'
    assert 'set image.qos to reliable' in finding.advice


def test_a_missing_publisher_is_reported_once_although_the_node_reports_it_too():
    empty = TopicSeen(CALIBRATION)
    status = StatusSeen(NODE, 2, f'no calibration on {CAL} for 4 s: nobody')
    finding = only(snapshot(topics={CAL: empty}, statuses=(status,)))
    assert 'nobody publishes it' in finding.evidence


def test_simulated_time_without_a_clock_is_reported():
    finding = only(snapshot(parameters={'use_sim_time': True}))
    assert 'waits for simulated time' in finding.problem


@pytest.mark.parametrize(('changed', 'problem'), [
    (TopicSeen(IMAGES[0], [Endpoint('/driver', IMAGES[0], 'reliable', 'volatile')], [0] * 50, 50), 'have no stamp'),
    (TopicSeen(IMAGES[0], [Endpoint('/driver', IMAGES[0], 'reliable', 'volatile')],
               [NOW_NS, NOW_NS - 10**9, NOW_NS], 30), 'run back'),
    (topic(IMAGES[0], count=4), 'come slowly')])
def test_images_with_bad_times_are_reported(changed, problem):
    assert problem in only(snapshot(topics={IMAGE: changed})).problem


def test_stamps_of_the_future_and_inputs_of_different_times_are_reported():
    problems = [f.problem for f in findings_of(snapshot(topics={UNIT: topic(FEATURES, offset_s=3.0)}))]
    assert problems == [f'stamps on {UNIT} lie in the future', f'the inputs of {NODE} are of different times']


def test_two_publishers_of_the_images_are_reported():
    twice = topic(IMAGES[0])
    twice.publishers.append(Endpoint('/bag', IMAGES[0], 'reliable', 'volatile'))
    finding = only(snapshot(topics={IMAGE: twice}))
    assert '/driver' in finding.evidence and '/bag' in finding.evidence


def test_raw_best_effort_images_need_other_transports():
    raw = Wanted(IMAGE, IMAGE, IMAGE, IMAGES[1], 'best_effort', 'volatile', 'image.qos')
    seen = snapshot(topics={IMAGE: topic(IMAGES[1], reliability='best_effort')})
    node = dataclasses.replace(seen.nodes[0], inputs=(raw, *INPUTS[1:]))
    seen = dataclasses.replace(seen, nodes=(node,))
    assert 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA' in only(seen).advice
    assert findings_of(dataclasses.replace(seen, environment={'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'})) == []


def with_video(reliability='reliable', swapped=0):
    """Return a system with a camera that sends H.264; :param swapped: pairs of packets in another order."""
    kind = 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket'
    assert kind in IMAGES
    video = topic(kind, reliability=reliability)
    for i in range(1, 1 + 4 * swapped, 4):
        video.stamps_ns[i], video.stamps_ns[i + 1] = video.stamps_ns[i + 1], video.stamps_ns[i]
    seen = snapshot(topics={IMAGE: video})
    wanted = Wanted(IMAGE, IMAGE, IMAGE, kind, reliability, 'volatile', 'image.qos')
    node = dataclasses.replace(seen.nodes[0], inputs=(wanted, *INPUTS[1:]))
    return dataclasses.replace(seen, nodes=(node,))


def test_video_wants_reliable_packets_and_no_other_order():
    assert findings_of(with_video()) == []
    lossy = only(with_video('best_effort'))
    assert 'can get lost' in lossy.problem and 'image.qos to reliable' in lossy.advice
    reordered = only(with_video(swapped=3))
    assert 'another order' in reordered.problem and 'no B-frames' in reordered.advice
    assert reordered.evidence == '3 stamps run back, by up to 0.100 s'


def test_another_model_is_reported_with_both_identities():
    status = StatusSeen(f'{NODE}: unit rsu_1', 1, 'wrong model', {'wrong_model': "'a', needed is 'b'"})
    finding = only(snapshot(statuses=(status,)))
    assert finding.evidence == "'a', needed is 'b'"
    assert 'weights' in finding.advice


def test_errors_of_the_nodes_are_repeated():
    status = StatusSeen(NODE, 2, 'out of memory')
    assert only(snapshot(statuses=(status,))).evidence == 'out of memory'


def test_a_node_that_does_not_answer_its_inputs_is_reported():
    assert 'publishes no tracks' in only(snapshot(topics={ANSWERS: topic(TRACKS, NODE, count=0)})).problem


@pytest.mark.parametrize(('changes', 'problem'), [
    ({'environment': {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}}, 'discovery is switched off'),
    ({'environment': {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET', 'ROS_LOCALHOST_ONLY': '1'}}, 'contradict'),
    ({'shm_free_bytes': 1000}, 'shared memory')])
def test_the_environment_is_looked_at(changes, problem):
    assert problem in only(snapshot(**changes)).problem


def test_a_calibration_is_checked_and_drawn(tmp_path, capsys):
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), np.full((540, 960, 3), 90, np.uint8))
    words = ['doctor', '--calibration', EXAMPLE, '--image', str(image)]
    assert main([*words, '-o', str(tmp_path / 'out.png'), '--json', str(tmp_path / 'out.json')]) == 0
    drawn = cv2.imread(str(tmp_path / 'out.png'))
    assert drawn.shape == (540, 960, 3) and (drawn != 90).any()
    assert json.loads((tmp_path / 'out.json').read_text())['findings'] == []
    assert 'nothing wrong' in capsys.readouterr().out


def rear_camera(tmp_path, *changes) -> str:
    """Write the example as a camera that looks behind, with changes of its text, and return the file."""
    content = yaml.safe_load(Path(EXAMPLE).read_text(encoding='utf-8'))
    camera = np.array(content['camera_from_lidar'])
    content['camera_from_lidar'] = (camera @ np.diag([-1.0, -1, 1, 1])).tolist()
    path = tmp_path / 'rear.yaml'
    path.write_text(yaml.safe_dump(content | dict(changes)), encoding='utf-8')
    return str(path)


def test_all_cameras_of_an_agent_are_checked_each_with_its_image(tmp_path, capsys):
    rear = rear_camera(tmp_path, ('looks_deg', 180))
    images = [str(tmp_path / f'{name}.png') for name in ('front', 'rear')]
    for path in images:
        cv2.imwrite(path, np.full((540, 960, 3), 90, np.uint8))
    out = tmp_path / 'out.json'
    assert main(['doctor', '--calibration', EXAMPLE, rear, '--image', *images, '--json', str(out)]) == 0
    views = json.loads(out.read_text())['views']
    assert [round(views[file]['yaw_deg']) % 360 for file in (EXAMPLE, rear)] == [0, 180]
    # The road is drawn where each of them looks, so both show the same.
    front, back = (cv2.imread(path.replace('.png', '_calibration.png'))[60:] for path in images)
    assert (front != 90).any()
    np.testing.assert_array_equal(front, back)


def test_each_finding_names_its_camera_and_cameras_that_contradict_each_other_are_reported(tmp_path, capsys):
    rear = rear_camera(tmp_path, ('lidar_frame', 'ego/other'))
    assert main(['doctor', '--calibration', EXAMPLE, rear]) == 1
    reported = capsys.readouterr().out
    assert f'1. {rear}: the camera does not look ahead' in reported
    assert 'if it is meant so: looks_deg: 180' in reported
    assert f'2. {rear} and {EXAMPLE} are calibrated to different frames' in reported


def test_a_file_without_a_place_is_checked_but_said_to_be_no_use_for_a_node(tmp_path, capsys):
    content = yaml.safe_load(Path(EXAMPLE).read_text(encoding='utf-8'))
    kept = {k: v for k, v in content.items() if not k.startswith('base_') and k != 'lidar_frame'}
    path = tmp_path / 'camera.yaml'
    path.write_text(yaml.safe_dump(kept), encoding='utf-8')
    assert main(['doctor', '--calibration', str(path)]) == 0
    assert 'a node cannot use it' in capsys.readouterr().out


def test_an_image_of_another_size_is_a_finding(tmp_path, capsys):
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), np.zeros((270, 480, 3), np.uint8))
    assert main(['doctor', '--calibration', EXAMPLE, '--image', str(image)]) == 1
    assert 'multiply the first two rows of matrix by 0.5' in capsys.readouterr().out


def test_options_that_do_not_fit_are_refused(capsys):
    assert main(['doctor', '--image', 'x.png']) == 2
    assert main(['doctor', '--calibration', EXAMPLE, '--image', 'x.png', 'y.png']) == 2
    assert main(['doctor', '--calibration', EXAMPLE, EXAMPLE, '-o', 'x.png']) == 2
    assert main(['doctor', '--calibration', '/nowhere.yaml']) == 2
    assert '/nowhere.yaml cannot be read' in capsys.readouterr().err


def test_two_nodes_of_one_name_are_found():
    finding = only(snapshot(twins={NODE: 2}))
    assert finding.problem == f'2 nodes are called {NODE}'
    assert 'stop one of them' in finding.advice


def test_an_image_of_another_size_to_draw_into_is_refused_with_both_sizes(tmp_path, capsys):
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), np.zeros((30, 40, 3), np.uint8))
    assert main(['doctor', '--calibration', EXAMPLE, '--image', str(image), '-o', str(tmp_path / 'out.png')]) == 2
    size = yaml.safe_load(Path(EXAMPLE).read_text())
    assert f"{image} has 40x30, {EXAMPLE} is for {size['width']}x{size['height']}" in capsys.readouterr().err
