"""Calibration from CameraInfo and transforms, raw images, wrong cameras."""

from array import array

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from support.ros_world import START_NS, EgoWorld, calibration, camera_image, odometry, stamp
from tf2_ros import StaticTransformBroadcaster

from cooptrack_msgs.msg import TrackArray
from cooptrack_ros.common.geometry import make_pose, quaternion_from_rotation
from cooptrack_ros.common.types import Side
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.weights.store import open_model
from cooptrack_ros.wire.images import decode_image, encode_raw

INPUT = '/ego/ego_node/input'
CAMERA_FROM_LIDAR = make_pose(np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]), [0.1, 0.2, 0.3])
BASE_FROM_LIDAR = make_pose(np.eye(3), [1.5, 0, 1.8])
K = np.array([[30.0, 0, 32], [0, 30, 16], [0, 0, 1]])
FROM_INFO = {'camera__source': 'camera_info', 'lidar_frame': 'ego/lidar', 'base_frame': 'ego/base_link'}


def transform(parent: str, child: str, parent_from_child: np.ndarray) -> TransformStamped:
    """Return a transform."""
    message = TransformStamped(header=Header(stamp=stamp(START_NS), frame_id=parent), child_frame_id=child)
    t, r = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = parent_from_child[:3, 3].tolist()
    r.w, r.x, r.y, r.z = quaternion_from_rotation(parent_from_child[:3, :3]).tolist()
    return message


def camera_info(frame: str = 'camera', size=(64, 32), **changes) -> CameraInfo:
    """Return an undistorted camera, whose P is 1.5 times its K."""
    p = np.column_stack([np.diag([1.5, 1.5, 1]) @ K, np.zeros(3)])
    message = CameraInfo(header=Header(stamp=stamp(START_NS), frame_id=frame), width=size[0], height=size[1],
                         distortion_model='plumb_bob', d=[0.0] * 5, k=K.reshape(-1), p=p.reshape(-1))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def broadcast(world, *transforms: TransformStamped) -> None:
    """Publish static transforms; the publisher lives as long as the world."""
    broadcaster = StaticTransformBroadcaster(world.probe)
    broadcaster.sendTransform(transforms)


def mounted(world) -> None:
    """Publish where lidar and camera are."""
    broadcast(world, transform('ego/base_link', 'ego/lidar', BASE_FROM_LIDAR),
              transform('ego/lidar', 'camera', np.linalg.inv(CAMERA_FROM_LIDAR)))


def described(world, rectified: bool, **changes) -> EgoWorld:
    """Return a vehicle that has CameraInfo and knows its frames."""
    ego = EgoWorld(world, calibrated=False, image__rectified=rectified, **FROM_INFO)
    mounted(world)
    world.until(lambda: ego.node.tf.lookup('camera', 'ego/base_link', START_NS) is not None, 'the transforms')
    world.publish(f'{INPUT}/camera_info', camera_info(**changes))
    return ego


def last_frame(ego: EgoWorld):
    """Return what the tracker was fed last."""
    return ego.package.trackers[Side.COOPERATIVE].seen[-1][0]


@pytest.mark.parametrize(('rectified', 'factor'), [(True, 1.5), (False, 1.0)])
def test_projection_is_that_of_camera_info_and_transforms(world, rectified, factor):
    ego = described(world, rectified)
    world.until(lambda: ego.node.cameras.is_calibrated, 'CameraInfo')
    assert ego.frame().header.frame_id == 'ego/lidar'
    frame = last_frame(ego)
    expected = np.eye(4)
    expected[:3] = np.diag([factor, factor, 1]) @ K @ CAMERA_FROM_LIDAR[:3]
    np.testing.assert_allclose(frame.img_from_lidar, expected[None], atol=1e-9)
    np.testing.assert_allclose(frame.ego_from_lidar, BASE_FROM_LIDAR, atol=1e-12)


@pytest.mark.parametrize('rectified', [True, False])
def test_raw_images_are_undistorted_and_rectified_ones_are_not(world, rectified):
    ego = described(world, rectified, d=[0.3, 0.1, 0.0, 0.0, 0.0])
    world.until(lambda: ego.node.cameras.is_calibrated, 'CameraInfo')
    ego.frame()
    image = last_frame(ego).images[0]
    assert image.shape == (32, 64, 3)
    assert (image[16, 24:40] == 90).all()
    # A pincushion is pushed in: beyond the edges of the raw image nothing was seen.
    assert (image[:, [0, -1]] == (90 if rectified else 0)).all()


def test_missing_transforms_are_named_not_taken_as_identity(world):
    ego = EgoWorld(world, calibrated=False, image__rectified=True, **FROM_INFO)
    world.publish(f'{INPUT}/camera_info', camera_info())
    world.until(lambda: ego.node.cameras.is_calibrated, 'CameraInfo')
    ego.send()
    ego.dropped('image', 'missing_transform')
    world.until(lambda: any('ego/lidar' in s.message for a in ego.diagnostics for s in a.status), 'the frame by name')
    mounted(world)
    world.until(lambda: ego.node.tf.lookup('camera', 'ego/base_link', START_NS) is not None, 'the transforms')
    assert ego.frame().tracks


def test_images_without_camera_info_wait_for_it(world):
    ego = EgoWorld(world, calibrated=False, image__rectified=True, **FROM_INFO)
    ego.send()
    ego.dropped('image', 'missing_calibration')
    assert not ego.tracks


def test_raw_messages_are_taken_as_compressed_ones_are(world):
    ego = EgoWorld(world, image__transport='raw')
    message = camera_image(START_NS)
    image = decode_image(message)
    world.publish(f'{INPUT}/odometry', odometry(START_NS))
    world.publish(f'{INPUT}/image', encode_raw(image, message.header))
    world.until(lambda: ego.tracks, 'tracks')
    np.testing.assert_array_equal(last_frame(ego).images[0], image)


@pytest.mark.parametrize(('changes', 'reason'), [
    ({'k': np.zeros(9)}, 'bad_calibration'), ({'distortion_model': 'magic', 'd': [0.1] * 5}, 'unknown_distortion'),
    ({'frame': ''}, 'wrong_frame')])
def test_unusable_camera_info_is_counted_by_reason(world, changes, reason):
    ego = described(world, False, **changes)
    ego.dropped('camera_info', reason)
    assert not ego.node.cameras.is_calibrated


def test_image_of_another_camera_or_size_is_dropped(world):
    ego = described(world, True, size=(64, 64))
    world.until(lambda: ego.node.cameras.is_calibrated, 'CameraInfo')
    ego.send()
    ego.dropped('image', 'wrong_size')
    other = camera_image(ego.now_ns, (64, 64))
    other.header.frame_id = 'rear'
    ego.send(other)
    ego.dropped('image', 'wrong_frame')
    assert not ego.tracks


def test_an_image_without_a_stamp_is_refused(world):
    ego = EgoWorld(world)
    ego.send(camera_image(0))
    ego.dropped('image', 'no_stamp')
    assert not ego.tracks


def test_a_stamp_whose_nanoseconds_make_up_for_negative_seconds_is_refused(world):
    ego, message = EgoWorld(world), camera_image(0)
    message.header.stamp.sec, message.header.stamp.nanosec = -1, 4_000_000_000
    ego.send(message)
    ego.dropped('image', 'no_stamp')
    assert not ego.tracks


def test_camera_info_is_checked_against_the_calibration(world):
    ego = EgoWorld(world)
    world.publish(f'{INPUT}/camera_info', camera_info(size=(32, 32)))
    ego.dropped('camera_info', 'wrong_size')
    world.publish(f'{INPUT}/camera_info', camera_info(frame='rear'))
    ego.dropped('camera_info', 'wrong_frame')
    assert ego.frame().tracks


def test_calibration_to_another_base_frame_is_refused(world):
    ego = EgoWorld(world, calibrated=False, base_frame='ego/rear_axle')
    world.publish(f'{INPUT}/calibration', calibration())
    ego.dropped('calibration', 'wrong_frame')
    assert not ego.node.cameras.is_calibrated


def test_a_unit_stands_where_the_transforms_say(world):
    tracks = world.listen('/infra/rsu_1/roadside_node/output/tracks', TrackArray)
    node = world.start(RoadsideNode, '/infra/rsu_1', open_model('random:mini'), camera__source='camera_info',
                       image__rectified=True, lidar_frame='infra/lidar')
    broadcast(world, transform('map', 'infra/lidar', BASE_FROM_LIDAR),
              transform('infra/lidar', 'camera', np.linalg.inv(CAMERA_FROM_LIDAR)))
    topic = '/infra/rsu_1/roadside_node/input'
    world.publish(f'{topic}/camera_info', camera_info())
    world.until(lambda: node.cameras.is_calibrated and node.tf.lookup('camera', 'map', START_NS) is not None, 'both')
    world.publish(f'{topic}/image/compressed', camera_image(START_NS))
    world.until(lambda: tracks, 'tracks')
    assert tracks[0].header.frame_id == 'infra/lidar'
    np.testing.assert_allclose(tracks[0].map_from_lidar, BASE_FROM_LIDAR.reshape(-1))


@pytest.mark.parametrize(('changes', 'named'), [
    ({'image__rectified': None}, 'image.rectified'), ({'lidar_frame': ''}, 'lidar_frame'),
    ({'base_frame': ''}, 'base_frame')])
def test_what_camera_info_needs_is_asked_for_by_name(world, capfd, changes, named):
    parameters = {k: v for k, v in {**FROM_INFO, 'image__rectified': True, **changes}.items() if v is not None}
    ego = EgoWorld(world, calibrated=False, **parameters)
    assert ego.node.cameras is None
    assert f"parameter '{named}'" in capfd.readouterr().err


@pytest.mark.parametrize('calibrated', [True, False])
def test_an_image_that_claims_to_be_huge_is_not_decoded(world, monkeypatch, calibrated):
    ego, image = EgoWorld(world, calibrated=calibrated), camera_image(START_NS)
    at = bytes(image.data).index(b'\xff\xc0')
    image.data[at + 5:at + 9] = array('B', (65000).to_bytes(2, 'big') * 2)
    monkeypatch.setattr('cooptrack_ros.nodes.inputs.decoding.decode_for_network', lambda *_: pytest.fail('decoded'))
    ego.send(image)
    ego.dropped('image', 'wrong_size')
    monkeypatch.undo()
    ego.calibrate()
    assert ego.frame().tracks
