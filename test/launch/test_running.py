"""Launch files start what they promise; both trackers in one process answer as they do in two, bit by bit."""

from array import array
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
import yaml
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from support.camera_files import BEHIND, write_camera
from support.configs import sensitive_weights
from support.ros_world import SIZE, START_NS, STEP_NS, World, calibration, camera_image, odometry, pair

from cooptrack_msgs.msg import InstanceFeatureArray, TrackArray
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.demo.processes import Process, environment, finish, launch_command, launch_file, tool_command
from cooptrack_ros.nodes import single_process
from cooptrack_ros.nodes.ego_node import EgoNode
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.wire.topics import features_topic, tracks_topic

pytestmark = pytest.mark.xdist_group('several processes')
FRAMES = 4
ANSWERS = {features_topic('rsu_1'): InstanceFeatureArray, '/infra/rsu_1/roadside_node/output/tracks': TrackArray,
           tracks_topic(): TrackArray, '/ego/ego_node/output/detections': TrackArray}
TIME_LIMIT_S = 100.0


@pytest.fixture
def weights(tmp_path) -> str:
    """Return the name of random weights with low thresholds."""
    return sensitive_weights(tmp_path)


@pytest.fixture
def bag(tmp_path) -> Path:
    """Give a bag of a vehicle and a unit whose images are noise."""
    path, random = tmp_path / 'bag', np.random.default_rng(0)
    with BagWriter(path) as writer:
        writer.write('/ego/camera/calibration', calibration(), START_NS, LATCHED)
        writer.write('/infra/rsu_1/camera/calibration', calibration('infra/rsu_1/lidar', 'map'), START_NS, LATCHED)
        for now in range(START_NS, START_NS + FRAMES * STEP_NS, STEP_NS):
            writer.write('/ego/odometry', odometry(now), now)
            writer.write('/infra/rsu_1/pair', pair(now, now), now)
            for agent in ('infra/rsu_1', 'ego'):
                noise = random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
                image = camera_image(now)
                image.data = array('B', cv2.imencode('.jpg', noise)[1].tobytes())
                writer.write(f'/{agent}/camera/image/compressed', image, now)
    return path


def messages(bag: Path, topic: str, kind: type) -> list:
    """Return the messages of a topic, without the number that every start of a unit draws."""
    with Reader(bag) as reader:
        found = [deserialize_message(data, kind) for at, _, data in reader.messages() if at.topic == topic]
    for message in found:
        if kind is InstanceFeatureArray:
            message.session = 0
    return found


def test_one_process_answers_bit_by_bit_as_two(tmp_path, weights, bag):
    with ExitStack() as stack:
        domain = stack.enter_context(reserve_domains(2)).first

        def start(title: str, command: list[str]) -> Process:
            return stack.enter_context(Process(title, command, tmp_path / f'{title}.log', env))

        running = []
        for i, name in enumerate(('demo', 'single_process')):
            env = environment(domain + i, tmp_path)
            nodes = start(name, launch_command(launch_file(f'{name}.launch.xml'), {
                'weights': weights, 'lockstep': True, 'use_sim_time': True}))
            running.append((nodes, start(f'{name}_replay', tool_command(
                'replay', bag, '--lockstep', '--record', tmp_path / name))))
        for nodes, player in running:
            finish(player, [nodes], TIME_LIMIT_S, Event())
    for topic, kind in ANSWERS.items():
        one, two = (messages(tmp_path / name, topic, kind) for name in ('single_process', 'demo'))
        assert len(one) == FRAMES
        assert one == two
        assert any(message.tracks if kind is TrackArray else message.count for message in one), topic


def test_the_demo_plays_a_bag_and_ends_with_it(tmp_path, weights, bag):
    command = launch_command(launch_file('demo.launch.xml'), {'bag': bag, 'weights': weights, 'lockstep': True})
    with reserve_domains() as domain, \
            Process('demo', command, tmp_path / 'demo.log', environment(domain.first, tmp_path)) as demo:
        finish(demo, [], TIME_LIMIT_S, Event())
    assert f'{FRAMES} images, {FRAMES} answers' in demo.log.read_text()


def test_a_vehicle_with_two_cameras_and_files_answers_under_the_topics_that_the_launch_names(tmp_path):
    weights = sensitive_weights(tmp_path, max_cameras=2)
    files = [write_camera(tmp_path / 'front.yaml'),
             write_camera(tmp_path / 'rear.yaml', camera_from_lidar=BEHIND, looks_deg=180)]
    parameters = tmp_path / 'ego.yaml'
    parameters.write_text(yaml.safe_dump({'/**': {'ros__parameters': {
        'camera.source': 'file', 'camera.files': ','.join(map(str, files))}}}))
    world = World()
    try:
        tracks = world.listen(tracks_topic(), TrackArray)
        command = launch_command(launch_file('ego.launch.xml'), {
            'weights': weights, 'mode': 'none', 'params': parameters, 'cameras': 'front,rear',
            'camera_topics': '/sensing/{name}',
            # Those of this process.
            'fastdds_transports': 'DEFAULT'})
        with Process('ego', command, tmp_path / 'ego.log', environment(world.context.get_domain_id(), tmp_path)) as ego:
            inputs = [f'/sensing/{name}/image/compressed' for name in ('front', 'rear')]
            world.until(lambda: ego.status() is not None or all(map(world.probe.count_subscribers, inputs)),
                        'the node', TIME_LIMIT_S)
            stamps = iter(range(START_NS, START_NS + 10**12, STEP_NS))

            def answered() -> bool:
                # Again and again: the node may learn of a publisher a little later.
                now = next(stamps)
                for topic in inputs:
                    world.publish(topic, camera_image(now))
                world.publish('/ego/odometry', odometry(now))
                return bool(tracks) or ego.status() is not None
            world.until(answered, 'tracks', TIME_LIMIT_S)
    finally:
        world.close()
    assert tracks, ego.log.read_text()
    assert tracks[0].header.frame_id == 'ego/lidar'


def test_each_node_in_one_process_gets_its_own_arguments_only():
    own, nodes = single_process.split_arguments(
        ['--ros-args', '--log-level', 'warn', '--ego', '--ros-args', '-p', 'a:=1', '--roadside', '--ros-args'])
    assert own == ['--ros-args', '--log-level', 'warn']
    assert [(node.func, node.keywords['cli_args']) for node in nodes] == [
        (EgoNode, ['--ros-args', '-p', 'a:=1']), (RoadsideNode, ['--ros-args'])]


def test_what_is_for_both_nodes_comes_before_what_each_has_of_its_own():
    _, nodes = single_process.split_arguments(
        ['--ego', '--ros-args', '-p', 'a:=1', '--roadside', '--both', '--ros-args', '-p', 'use_sim_time:=true'])
    common = ['--ros-args', '-p', 'use_sim_time:=true']
    assert [(node.func, node.keywords['cli_args']) for node in nodes] == [
        (EgoNode, [*common, '--ros-args', '-p', 'a:=1']), (RoadsideNode, common)]


def test_one_process_without_nodes_says_how_to_use_it(monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['single_process', '--ros-args'])
    assert single_process.main() == 2
    assert '--roadside' in capsys.readouterr().err
