"""Inputs are found in a bag and in a running system."""

import json
import threading

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2
from std_msgs.msg import Header
from support.ros_world import START_NS, STEP_NS, calibration, camera_image, odometry, pair, stamp
from tf2_msgs.msg import TFMessage

from cooptrack_ros.cli.main import main
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes import qos
from cooptrack_ros.wire.point_clouds import encode_point_cloud


def detected(tmp_path, *words) -> tuple[int, dict]:
    """Run the command; return its exit status and what it wrote."""
    out = tmp_path / 'found.json'
    status = main(['autodetect', *map(str, words), '--json', str(out)])
    return status, json.loads(out.read_text(encoding='utf-8'))


def write(bag, cameras=('/ego/camera',), lidars=('lidar',)) -> None:
    """Write a bag as ``cooptrack bag convert`` does, with several cameras or lidars if wanted."""
    with BagWriter(bag) as writer:
        for camera in cameras:
            writer.write(f'{camera}/calibration', calibration(), START_NS, LATCHED)
        for now in range(START_NS, START_NS + 3 * STEP_NS, STEP_NS):
            writer.write('/ego/odometry', odometry(now), now)
            for lidar in lidars:
                header = Header(stamp=stamp(now), frame_id=lidar)
                writer.write(f'/ego/{lidar}/points', encode_point_cloud(np.ones((2, 4)), header), now)
            writer.write('/infra/rsu_1/pair', pair(now, now), now)
            for camera in (*cameras, '/infra/rsu_1/camera'):
                writer.write(f'{camera}/image/compressed', camera_image(now), now)


def test_the_inputs_in_a_bag_of_ours_are_found(tmp_path, capsys):
    write(tmp_path / 'bag')
    status, found = detected(tmp_path, tmp_path / 'bag')
    assert status == 0
    assert found['remappings']['~/input/image/compressed'] == '/ego/camera/image/compressed'
    assert found['remappings']['~/input/points'] == '/ego/lidar/points'
    assert found['parameters']['infra_units'] == 'rsu_1'
    rates = {t['name']: t['rate_hz'] for t in found['topics']}
    assert rates['/ego/odometry'] == pytest.approx(1e9 / STEP_NS)
    text = capsys.readouterr().out
    assert '/ego/camera/image/compressed  sensor_msgs/msg/CompressedImage' in text and 'auto:=true' in text


def test_two_cameras_in_a_bag_are_listed_with_exit_status_1(tmp_path, capsys):
    write(tmp_path / 'bag', ('/ego/left', '/ego/right'))
    status, found = detected(tmp_path, tmp_path / 'bag')
    assert status == 1
    assert [u['what'] for u in found['unclear']] == ['images']
    assert 'ros2 run' not in capsys.readouterr().out
    status, found = detected(tmp_path, tmp_path / 'bag', '--camera', '/ego/right')
    assert status == 0
    assert 'auto:=/ego/right' in capsys.readouterr().out
    assert found['remappings']['~/input/calibration'] == '/ego/right/calibration'


def test_several_lidars_in_a_bag_are_listed_and_none_is_taken(tmp_path, capsys):
    write(tmp_path / 'bag', lidars=('left', 'right'))
    status, found = detected(tmp_path, tmp_path / 'bag')
    assert status == 0 and '~/input/points' not in found['remappings']
    text = capsys.readouterr().out
    assert 'points not clear: 2 topics' in text and '/ego/left/points' in text and '/ego/right/points' in text


@pytest.mark.parametrize(('words', 'message'), [
    (['/nowhere'], 'ROS 2 bag'), (['/nowhere', '--seconds', '1'], 'not to a bag'), (['--seconds', '0'], 'more than 0'),
    (['--domain-id', '233'], '0 to 232')])
def test_wrong_arguments_are_refused(words, message, capsys):
    assert main(['autodetect', *words]) == 2
    assert message in capsys.readouterr().err


def test_two_cameras_of_a_running_system_are_listed_and_one_of_them_is_taken(world, tmp_path):
    def camera(name):
        return (world.probe.create_publisher(CompressedImage, f'/{name}/image_raw/compressed', qos_profile_sensor_data),
                world.probe.create_publisher(CameraInfo, f'/{name}/camera_info', qos_profile_sensor_data))
    cameras = {name: camera(name) for name in ('front', 'rear')}
    poses = world.probe.create_publisher(Odometry, '/odom', 10)
    lidar = TransformStamped(header=Header(frame_id='base_link'), child_frame_id='lidar_top')
    world.probe.create_publisher(TFMessage, '/tf_static', qos.LATCHED).publish(TFMessage(transforms=[lidar]))
    clouds = world.probe.create_publisher(PointCloud2, '/velodyne_points', 10)
    results = []

    def look():
        for words in ([], ['--camera', '/front']):
            results.append(detected(tmp_path, '--domain-id', world.context.get_domain_id(), '--seconds', 3, *words))
    thread = threading.Thread(target=look)
    thread.start()

    def ended() -> bool:
        for name, (images, info) in cameras.items():
            images.publish(CompressedImage(header=Header(frame_id=name)))
            info.publish(CameraInfo(header=Header(frame_id=name)))
        clouds.publish(encode_point_cloud(np.ones((2, 4)), Header(frame_id='lidar_top')))
        poses.publish(odometry(START_NS))
        return not thread.is_alive()
    world.until(ended, 'what is found', timeout_s=60.0)
    thread.join()
    (first, unclear), (second, found) = results
    assert (first, second) == (1, 0)
    text, = (u['advice'] for u in unclear['unclear'])
    assert '/front, /rear' in text
    assert found['remappings']['~/input/image/compressed'] == '/front/image_raw/compressed'
    # Two clouds within one look are enough: the other may have been slow.
    assert '/velodyne_points' in [look['remappings'].get('~/input/points') for look in (unclear, found)]
    assert found['parameters']['image.qos'] == 'sensor_data'
    assert found['parameters']['lidar_frame'] == 'lidar_top'
