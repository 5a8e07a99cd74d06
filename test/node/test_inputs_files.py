"""Cameras that are described by files: images and poses are all that a node needs."""

import numpy as np
import pytest
from support.camera_files import BEHIND, MOUNTING, write_camera
from support.ros_world import FEATURES, START_NS, EgoWorld, camera_image, odometry

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.types import Side
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.sensors.calibration_file import read_calibration
from cooptrack_ros.weights.store import open_model

UNIT = '/infra/rsu_1/roadside_node/input/image/compressed'
TWO_CAMERAS = '''preset: mini
max_cameras: 2
'''


def vehicle(world, *files, **parameters) -> EgoWorld:
    """Return a vehicle without any publisher of its calibration."""
    return EgoWorld(world, parameters.pop('package', None), calibrated=False, camera__source='file',
                    camera__files=', '.join(map(str, files)), **parameters)


def test_a_node_runs_with_images_and_a_file(world, tmp_path):
    file = write_camera(tmp_path / 'front.yaml')
    ego = vehicle(world, file)
    answer = ego.frame()
    assert answer.header.frame_id == 'ego/lidar' and answer.tracks
    frame, _ = ego.package.trackers[Side.COOPERATIVE].seen[-1]
    np.testing.assert_array_equal(frame.img_from_lidar, read_calibration(file).img_from_lidar[None])
    np.testing.assert_array_equal(frame.ego_from_lidar, MOUNTING)
    topics = {name for name, _ in ego.node.get_subscriber_names_and_types_by_node('ego_node', '/ego')}
    assert not [t for t in topics if t.endswith(('calibration', 'camera_info'))]


def test_raw_images_are_freed_of_the_distortion_in_the_file(world, tmp_path):
    ego = vehicle(world, write_camera(tmp_path / 'front.yaml', distortion=[0.3, 0.1, 0.0, 0.0, 0.0]))
    ego.frame()
    image = ego.package.trackers[Side.COOPERATIVE].seen[-1][0].images[0]
    assert (image[16, 24:40] == 90).all() and (image[:, [0, -1]] == 0).all()


def test_several_cameras_have_a_file_each_in_their_order(world, tmp_path):
    (tmp_path / 'two.yaml').write_text(TWO_CAMERAS)
    front = write_camera(tmp_path / 'a.yaml')
    rear = write_camera(tmp_path / 'b.yaml', (96, 48), camera_from_lidar=BEHIND, looks_deg=180)
    ego = vehicle(world, front, rear, cameras='front,rear', fusion__mode='none',
                  cameras__topics='/sensing/{name}', package=open_model(f'random:{tmp_path}/two.yaml'))
    for name, size in (('rear', (96, 48)), ('front', (64, 32))):
        world.publish(f'/sensing/{name}/image/compressed', camera_image(START_NS, size))
    world.publish('/ego/ego_node/input/odometry', odometry(START_NS))
    world.until(lambda: ego.tracks, 'tracks')
    models = [camera._calibration for camera in ego.node.cameras._cameras]
    for model, file in zip(models, (front, rear), strict=True):
        np.testing.assert_array_equal(model.img_from_lidar, read_calibration(file).img_from_lidar)


def test_a_unit_tells_how_well_it_was_surveyed(world, tmp_path):
    file = write_camera(tmp_path / 'unit.yaml', lidar_frame='infra/lidar', base_frame='map',
                        base_from_lidar_std=[0.02, 0.02, 0.05, 0, 0, 0.1])
    features = world.listen('/infra/rsu_1/features', InstanceFeatureArray, FEATURES)
    world.start(RoadsideNode, '/infra/rsu_1', open_model('random:mini'), camera__source='file',
                camera__files=str(file))
    world.publish(UNIT, camera_image(START_NS))
    world.until(lambda: features, 'features')
    covariance = np.reshape(features[0].pose.covariance, (6, 6))
    np.testing.assert_allclose(np.diag(covariance), [4e-4, 4e-4, 25e-4, 0, 0, np.radians(0.1) ** 2])
    assert np.count_nonzero(covariance) == 4
    np.testing.assert_array_equal(np.reshape(features[0].map_from_lidar, (4, 4)), MOUNTING)


@pytest.mark.parametrize(('changes', 'parameters', 'problem'), [
    ({'base_from_lidar': None, 'lidar_frame': None, 'base_frame': None}, {}, 'base_from_lidar are missing'),
    ({'lidar_frame': None}, {}, 'missing fields: lidar_frame'),
    ({'base_frame': 'rear_axle'}, {'base_frame': 'ego/base_link'}, "base_frame is 'rear_axle'"),
    ({'distortion': [0.1] * 5}, {'image__rectified': True}, 'image.rectified says that images have none'),
    ({'distortion_model': 'magic', 'distortion': [0.1] * 5}, {}, "'magic'")])
def test_a_file_that_cannot_be_used_ends_configure_with_its_name(world, tmp_path, capfd, changes, parameters, problem):
    path = write_camera(tmp_path / 'front.yaml', **changes)
    ego = vehicle(world, path, **parameters)
    reported = capfd.readouterr().err
    assert ego.node.cameras is None
    assert str(path) in reported and problem in reported


def test_there_must_be_a_file_for_each_camera(world, capfd):
    ego = vehicle(world)
    assert ego.node.cameras is None
    assert "parameter 'camera.files' names 0 files, expected one for each of 1 camera(s)" in capfd.readouterr().err


def test_what_is_unlikely_in_a_file_is_reported_at_the_start(world, tmp_path, capfd):
    vehicle(world, write_camera(tmp_path / 'front.yaml', ground_z=1.9))
    assert 'front.yaml: the height of the camera is unlikely' in capfd.readouterr().err


@pytest.mark.parametrize(('pattern', 'problem'), [
    ('/sensing/camera', 'expected {name} in it'), ('/sensing camera/{name}', "parameter 'cameras.topics'")])
def test_topics_of_cameras_must_differ_and_be_names(world, capfd, pattern, problem):
    ego = EgoWorld(world, calibrated=False, cameras='front', cameras__topics=pattern)
    assert ego.node.cameras is None
    assert problem in capfd.readouterr().err
