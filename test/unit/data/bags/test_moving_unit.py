"""A bag of a car and a drone: the place of the drone is on /tf and in the calibrations of every frame."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from support.griffin_folders import CAMERAS, drone_pose, matrix, write_griffin

from cooptrack_ros.common.types import Sensors
from cooptrack_ros.data.bags.convert import convert
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.data.folders import open_dataset
from cooptrack_ros.replay.camera_frames import EGO, CameraFrames
from cooptrack_ros.wire.topics import calibrated_by


def _messages(bag):
    found = defaultdict(list)
    with BagReader(bag) as reader:
        for connection, _, data in reader.messages(reader.connections):
            found[connection.topic].append(reader.deserialize(connection, data))
    return found


def test_the_place_of_a_moving_unit_is_told_in_every_frame(tmp_path):
    data = open_dataset(write_griffin(tmp_path / 'data'))
    convert(data, data.sequences()[0], tmp_path / 'bag')
    found = _messages(tmp_path / 'bag')
    frames = CameraFrames(found)
    assert frames.units == ['drone']
    assert [len(frames.images[agent]) for agent in (EGO, 'drone')] == [4, 5]
    for name in CAMERAS['drone-side']:
        calibrations = found[f'/infra/drone/camera_{name}/calibration']
        assert len(calibrations) == len(found[f'/infra/drone/camera_{name}/image/compressed']) == 12
        for number, message in enumerate(calibrations):
            np.testing.assert_allclose(np.reshape(message.base_from_lidar, (4, 4)), matrix(drone_pose(number)),
                                       atol=1e-9)
    assert all(len(found[f'/ego/camera_{name}/calibration']) == 1 for name in CAMERAS['vehicle-side'])
    assert {m.format for m in found['/ego/camera_left/image/compressed']} == {'png'}
    moved = [t for m in found['/tf'] for t in m.transforms if t.child_frame_id == 'infra/drone/lidar']
    assert [t.transform.translation.x for t in moved] == [drone_pose(number)['x'] for number in range(12)]
    standing = {t.child_frame_id for m in found['/tf_static'] for t in m.transforms}
    assert 'infra/drone/lidar' not in standing and 'infra/drone/camera_bottom_optical' in standing
    # One for the mountings of each agent.
    assert len(found['/tf_static']) == 2


def test_a_frame_ends_with_the_last_image_of_its_cameras():
    ego, drone = (f'/{agent}/camera_{{}}/image/compressed' for agent in ('ego', 'infra/drone'))
    frames = CameraFrames([ego.format('a'), ego.format('b'), drone.format('a'), '/ego/odometry',
                           '/infra/rsu_1/camera/image/compressed', '/infra/rsu_1/camera/calibration'])
    assert frames.units == ['drone', 'rsu_1']
    assert frames.agent_of('/ego/odometry') is None and frames.agent_of(drone.format('a')) == 'drone'
    assert [frames.counted_for(t) for t in (ego.format('a'), ego.format('b'), drone.format('a'), '/ego/odometry')
            ] == [EGO, None, 'drone', None]
    images = [(ego.format('b'), 1), (drone.format('a'), 1), (ego.format('b'), 2), (ego.format('a'), 1),
              (ego.format('a'), 2), ('/infra/rsu_1/camera/image/compressed', 1)]
    assert [frames.completes(*image) for image in images] == [False, True, False, True, True, True]


def test_an_agent_with_an_only_camera_has_no_others_and_frames_that_lack_an_image_are_forgotten():
    topics = [f'/ego/{camera}/image/compressed' for camera in ('camera', 'camera_rear')]
    assert CameraFrames(topics).images == {EGO: [(topics[0], 'compressed', EGO, 'camera')]}
    one, two = (f'/ego/camera_{name}/image/compressed' for name in 'ab')
    frames = CameraFrames([one, two])
    assert [frames.completes(one, stamp) for stamp in (1, 2)] == [False, False]
    assert frames.completes(two, 2)
    assert not frames.completes(two, 1)


def test_images_of_each_camera_come_in_the_transport_that_the_bag_has():
    topics = ['/ego/camera_a/image/ffmpeg', '/ego/camera_b/image', '/ego/camera_b/image/foxglove',
              '/infra/rsu_1/camera_a/image/foxglove', '/infra/rsu_2/camera_a/image/theora']
    assert CameraFrames(topics).images == {
        EGO: [(topics[0], 'ffmpeg', EGO, 'camera_a'), (topics[1], 'raw', EGO, 'camera_b')],
        'rsu_1': [(topics[3], 'foxglove', 'rsu_1', 'camera_a')]}


def test_without_cameras_every_cloud_makes_a_frame_of_its_agent():
    points, of_unit = '/ego/lidar/points', '/infra/rsu_1/lidar/points'
    topics = [of_unit, points, '/ego/camera/image/compressed', '/infra/rsu_2/camera/image/compressed']
    frames = CameraFrames(topics, Sensors.LIDAR)
    assert frames.units == ['rsu_1'] and frames.agent_of(points) == frames.counted_for(points) == EGO
    assert frames.completes(points, 1) and frames.completes(of_unit, 1)
    assert frames.agent_of(topics[2]) is None
    assert (calibrated_by('camera_left/calibration'), calibrated_by('lidar/calibration')) == ('camera_left', None)
