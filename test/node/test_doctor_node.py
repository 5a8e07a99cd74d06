"""The doctor looks at running nodes."""

import json
import threading

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage
from support.ros_world import START_NS, EgoWorld, FakePackage, World, camera_image, odometry

from cooptrack_ros.cli.main import main

NODE = '/ego/ego_node'


def doctor(world: World, tmp_path, act=lambda: None) -> tuple[int, dict]:
    """Run the doctor in a thread while the world goes on; return its exit status and what it wrote."""
    out = tmp_path / 'doctor.json'
    domain = str(world.context.get_domain_id())
    status = []
    thread = threading.Thread(target=lambda: status.append(
        main(['doctor', '--domain-id', domain, '--seconds', '3', '--json', str(out)])))
    thread.start()

    def ended() -> bool:
        act()
        return not thread.is_alive()
    world.until(ended, 'the doctor', timeout_s=60.0)
    thread.join()
    return status[0], json.loads(out.read_text(encoding='utf-8'))


def test_a_best_effort_camera_and_missing_poses_are_found(world, tmp_path):
    ego = EgoWorld(world)
    camera = world.probe.create_publisher(CompressedImage, f'{NODE}/input/image/compressed', qos_profile_sensor_data)
    status, reported = doctor(world, tmp_path, lambda: camera.publish(camera_image(ego.now_ns)))
    assert status == 1
    assert reported['nodes'][NODE]['state'] == 'active'
    advice = {f['problem']: f['advice'] for f in reported['findings']}
    assert 'set image.qos to sensor_data' in advice[f'{NODE} gets nothing on {NODE}/input/image/compressed']
    assert f'{NODE} gets nothing on {NODE}/input/odometry' in advice
    assert f'{NODE} gets nothing on /infra/rsu_1/features' in advice
    assert not any('calibration' in problem for problem in advice)


def test_nothing_is_found_in_a_system_that_works(world, tmp_path):
    ego = EgoWorld(world, fusion__mode='none')
    world.publish(f'{NODE}/input/odometry', odometry(START_NS))
    status, reported = doctor(world, tmp_path, ego.frame)
    assert reported['findings'] == []
    assert status == 0
    assert reported['rate_hz'][f'{NODE}/output/tracks'] > 1


def test_a_node_that_is_not_configured_is_found(world, tmp_path):
    from cooptrack_ros.nodes.ego_node import EgoNode
    world.start(EgoNode, '/ego', autostart=False)
    status, reported = doctor(world, tmp_path)
    assert status == 1
    finding, = reported['findings']
    assert finding['problem'] == f'{NODE} is not active'
    assert f'ros2 lifecycle set {NODE} configure' in finding['advice']


def test_two_nodes_of_one_name_are_found_by_the_doctor_and_by_themselves(world, tmp_path, capfd):
    from cooptrack_ros.nodes.ego_node import EgoNode
    ego = EgoWorld(world, fusion__mode='none')
    world.start(EgoNode, '/ego', FakePackage(), fusion__mode='none')
    _, reported = doctor(world, tmp_path)
    assert f'2 nodes are called {NODE}' in {f['problem'] for f in reported['findings']}
    world.until(lambda: any(f'2 nodes are called {NODE}' in s.message for a in ego.diagnostics for s in a.status),
                'the warning of the node')
