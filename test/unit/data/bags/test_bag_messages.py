"""Standard messages of a frame say the same as the data set."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.spd_folders import golden, write_folder

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.geometry import make_pose, project_points, rotation_from_quaternion
from cooptrack_ros.data.bags import standard_messages as messages
from cooptrack_ros.data.bags.types import EGO, roadside_names
from cooptrack_ros.data.point_clouds import PcdFile, write_pcd
from cooptrack_ros.data.spd.reader import SpdDataset
from cooptrack_ros.sensors.jpeg import jpeg_size


@pytest.fixture(scope='module')
def record(tmp_path_factory):
    root = write_folder(tmp_path_factory.mktemp('spd'), golden('dataset'))
    return SpdDataset(root).records('cooperative', '0000')[0]


def matrix(transform):
    translation, q = transform.transform.translation, transform.transform.rotation
    return make_pose(rotation_from_quaternion([q.w, q.x, q.y, q.z]), [translation.x, translation.y, translation.z])


@pytest.mark.parametrize('side', ['vehicle', 'roadside'])
def test_camera_info_and_transforms_project_exactly_like_the_stored_calibration(record, side):
    sensor, names = (record, EGO) if side == 'vehicle' else (record.infra, roadside_names('rsu_1'))
    info = messages.camera_info(sensor.cameras[0], names, 0, (1920, 1080))
    lidar_from_camera = matrix(messages.static_transforms(sensor, names, 0)[1])
    intrinsic = np.array(info.k).reshape(3, 3)
    projection = np.eye(4)
    projection[:3] = intrinsic @ np.linalg.inv(lidar_from_camera)[:3]
    points = np.random.default_rng(0).uniform([10, -20, -2], [90, 20, 4], (500, 3))
    expected, depth = project_points(sensor.cameras[0].img_from_lidar, points)
    actual, _ = project_points(projection, points)
    assert (depth > 0).all()
    assert np.abs(actual - expected).max() < 1e-6
    np.testing.assert_array_equal(np.array(info.p).reshape(3, 4)[:, :3], intrinsic)


def test_frames_form_one_tree_from_map_to_camera(record):
    names = roadside_names('rsu_1')
    ego = messages.static_transforms(record, EGO, 5)
    infra = messages.static_transforms(record.infra, names, 5)
    assert [(t.header.frame_id, t.child_frame_id) for t in ego] == [
        ('ego/base_link', 'ego/lidar'), ('ego/lidar', 'ego/camera_optical')]
    assert [(t.header.frame_id, t.child_frame_id) for t in infra] == [
        ('map', 'infra/rsu_1/lidar'), ('infra/rsu_1/lidar', 'infra/rsu_1/camera_optical')]
    np.testing.assert_allclose(matrix(infra[0]), record.infra.global_from_lidar, atol=1e-9)
    np.testing.assert_allclose(matrix(ego[0]), record.ego_from_lidar, atol=1e-9)


def test_odometry_is_the_stored_pose_of_the_vehicle_body(record):
    message = messages.odometry(record, EGO, record.stamp_us * 1000)
    position, q = message.pose.pose.position, message.pose.pose.orientation
    assert (message.header.frame_id, message.child_frame_id) == ('map', 'ego/base_link')
    np.testing.assert_allclose([position.x, position.y, position.z], record.global_from_ego[:3, 3])
    np.testing.assert_allclose(
        rotation_from_quaternion([q.w, q.x, q.y, q.z]), record.global_from_ego[:3, :3], atol=1e-9)


def test_stamps_keep_every_nanosecond():
    header = messages.header(1626155124000100999, 'map')
    assert (header.stamp.sec, header.stamp.nanosec) == (1626155124, 100999)


def test_point_cloud_holds_the_points_of_the_file(record, tmp_path):
    points = np.array([(1, 2, 3, 0.25), (4, 5, np.nan, 1)], [(n, '<f4') for n in ('x', 'y', 'z', 'intensity')])
    write_pcd(tmp_path / 'cloud.pcd', points)
    cloud = messages.point_cloud(replace(record, point_cloud=PcdFile(tmp_path / 'cloud.pcd')), EGO, 0)
    assert cloud.width == 1 and cloud.header.frame_id == 'ego/lidar'
    np.testing.assert_array_equal(np.frombuffer(cloud.data, np.float32), [1, 2, 3, 0.25])


@pytest.mark.parametrize('options', [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_jpeg_size_is_read_without_decoding(options):
    data = cv2.imencode('.jpg', np.zeros((31, 47, 3), np.uint8), options)[1].tobytes()
    assert jpeg_size(data) == (47, 31)


@pytest.mark.parametrize('data', [b'', b'\x89PNG', b'\xff\xd8', b'\xff\xd8\xff\xe0\x00\x04ab', b'\xff\xd8\x00\x00' * 9])
def test_what_is_no_complete_jpeg_is_refused(data):
    with pytest.raises(ValueError):
        jpeg_size(data)


def test_missing_image_is_an_error_that_names_the_file(record):
    with pytest.raises(UserError, match='000001.jpg'):
        messages.compressed_image(record.cameras[0], EGO, 0)


@pytest.mark.parametrize('unit', ['', '1st', 'a/b', 'a b', 'ä', 'a__b'])
def test_unit_that_cannot_be_part_of_a_topic_is_refused(unit):
    with pytest.raises(UserError, match='topic name'):
        roadside_names(unit)
