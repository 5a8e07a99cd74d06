"""Point clouds come and go on both nodes, and images do: tracks go on."""

from array import array

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from support.ros_world import (
    FEATURES,
    INFRA,
    START_NS,
    STEP_NS,
    EgoWorld,
    FakePackage,
    calibration,
    camera_image,
    stamp,
)
from tf2_msgs.msg import TFMessage

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.types import Side
from cooptrack_ros.nodes.qos import LATCHED
from cooptrack_ros.nodes.roadside_node import RoadsideNode
from cooptrack_ros.wire.point_clouds import encode_point_cloud

EGO_POINTS, UNIT = '/ego/ego_node/input/points', f'{INFRA}/roadside_node'
POINTS = np.array([[10, 1, 0, 0.5], [20, -2, 1, 1.0]], np.float32)


def cloud(ns: int, frame: str = 'ego/lidar', points=POINTS) -> PointCloud2:
    return encode_point_cloud(points, Header(stamp=stamp(ns), frame_id=frame))


class Street:
    """A vehicle and a unit that look with both sensors."""

    def __init__(self, world):
        """Start both nodes."""
        self.world, self.package = world, FakePackage()
        self.features = world.listen(f'{INFRA}/features', InstanceFeatureArray, FEATURES)
        world.start(RoadsideNode, INFRA, self.package, lidar__enabled=True)
        self.ego = EgoWorld(world, self.package, lidar__enabled=True)
        world.publish(f'{UNIT}/input/calibration', calibration('infra/rsu_1/lidar', 'map'))

    def frame(self, images: bool, clouds: bool, answered: bool = True) -> None:
        """Let both sides see a frame with the sensors that still work, and wait for their answers."""
        ego, world, now = self.ego, self.world, self.ego.now_ns
        before, heard = len(ego.tracks), len(self.features)
        if clouds:
            received = ego.node.health.counts['points.received']
            world.publish(EGO_POINTS, cloud(now))
            world.publish(f'{UNIT}/input/points', cloud(now, 'infra/rsu_1/lidar'))
            world.until(lambda: ego.node.health.counts['points.received'] > received, 'the cloud')
        if images:
            world.publish(f'{UNIT}/input/image/compressed', camera_image(now))
            ego.send()
        else:
            ego.pose()
        if answered:
            world.until(lambda: len(ego.tracks) > before and len(self.features) > heard, 'tracks and features')

    def seen(self, side: Side) -> list[tuple[bool, bool]]:
        """Return for each frame of a side whether it had images and a cloud."""
        return [(bool(frame.images), frame.cloud is not None) for frame, _ in self.package.trackers[side].seen
                if frame.stamp_ns >= START_NS]


def test_both_nodes_go_on_when_clouds_stop_and_then_when_images_stop(world):
    street = Street(world)
    for _ in range(3):
        street.frame(images=True, clouds=True)
    for _ in range(2):
        street.frame(images=True, clouds=False)
    street.frame(images=True, clouds=True)
    # Until it is clear that no image comes any more, clouds wait for one.
    for _ in range(3):
        street.frame(images=False, clouds=True, answered=False)
    for _ in range(3):
        street.frame(images=False, clouds=True)
    # The first image that comes again is of the time of a cloud that had its turn already.
    for _ in range(2):
        street.frame(images=True, clouds=True)
    expected = [(True, True)] * 3 + [(True, False)] * 2 + [(True, True)] + [(False, True)] * 4 + [(True, True)]
    assert street.seen(Side.COOPERATIVE) == expected
    unit = [images for images, _ in street.seen(Side.ROADSIDE)]
    assert unit[:9] == [images for images, _ in expected[:9]] and unit[-1]
    street.ego.dropped('points', 'missing_cloud')


def test_a_cloud_that_cannot_be_used_costs_the_frame_the_cloud_and_nothing_else(world):
    ego = EgoWorld(world, lidar__enabled=True)
    for made, reason in ((cloud(ego.now_ns, 'nowhere'), 'wrong_frame'),
                         (cloud(ego.now_ns + STEP_NS, points=POINTS[:0]), 'empty_cloud'),
                         (cloud(ego.now_ns + 2 * STEP_NS), 'wrong_length')):
        if reason == 'wrong_length':
            made.data = array('B', bytes(3))
        world.publish(EGO_POINTS, made)
        world.until(lambda: ego.node.clouds._reader.has(ego.now_ns), 'the cloud')
        ego.frame()
        ego.dropped('points', reason)
    assert all(frame.cloud is None for frame, _ in ego.package.trackers[Side.COOPERATIVE].seen[-3:])


def send_mounting(world) -> None:
    """Publish where the lidar stands on the vehicle, and where another sensor stands beside it."""
    message = TFMessage()
    for parent, child, height in (('ego/base_link', 'ego/lidar', 1.9), ('ego/lidar', 'top', 0.5)):
        transform = TransformStamped(header=Header(stamp=stamp(START_NS), frame_id=parent), child_frame_id=child)
        transform.transform.translation.z, transform.transform.rotation.w = height, 1.0
        message.transforms.append(transform)
    world.probe.create_publisher(TFMessage, '/tf_static', LATCHED).publish(message)


@pytest.mark.parametrize('source', ['calibration', 'camera_info'])
def test_without_a_camera_every_cloud_makes_a_frame(world, source):
    by_tf = source == 'camera_info'
    parameters = {'lidar_frame': 'ego/lidar', 'base_frame': 'ego/base_link'} if by_tf else {'lockstep': True}
    ego = EgoWorld(world, calibrated=not by_tf, lidar__enabled=True, camera__enabled=False, camera__source=source,
                   infra_units='', **parameters)
    if by_tf:
        send_mounting(world)
        world.until(lambda: ego.node.tf.lookup('ego/base_link', 'top', START_NS) is not None, 'the mounting')
    for _ in range(3):
        answers, now = len(ego.tracks), ego.now_ns
        ego.pose()
        world.publish(EGO_POINTS, cloud(now, 'top' if by_tf else 'ego/lidar'))
        world.until(lambda n=answers: len(ego.tracks) > n, 'tracks')
        assert stamp(now) == ego.tracks[-1].header.stamp and ego.tracks[-1].header.frame_id == 'ego/lidar'
    frames = [frame for frame, _ in ego.package.trackers[Side.COOPERATIVE].seen if frame.stamp_ns >= START_NS]
    assert len(frames) == 3 and not any(frame.images for frame in frames)
    for frame in frames:
        np.testing.assert_allclose(frame.cloud, POINTS + np.float32([0, 0, 0.5 * by_tf, 0]), atol=1e-6)
        assert frame.ego_from_lidar[2, 3] == (1.9 if by_tf else 0)
    assert not any('/image' in s.topic_name for s in ego.node.subscriptions)
