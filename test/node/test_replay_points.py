"""Bags with point clouds: what the core makes of them without nodes, and what the player waits for."""

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from support.ros_world import START_NS, STEP_NS, FakePackage, calibration, camera_image, odometry, pair, stamp

from cooptrack_msgs.msg import TrackArray
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.types import Sensors, Side
from cooptrack_ros.data.bags.types import LATCHED
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.nodes.qos import LOCKSTEP_INPUT
from cooptrack_ros.replay.collector import Collector
from cooptrack_ros.replay.offline import OfflineOptions, OfflineReplay
from cooptrack_ros.replay.player import BagPlayer, PlayOptions
from cooptrack_ros.wire.point_clouds import encode_point_cloud

FRAMES = 4
MISSING, EARLIER, EARLIER_NS = 1, 2, 20_000_000
"""The vehicle's cloud of one frame is missing, that of another is 20 ms older than the image."""


def cloud(ns: int, frame: str = 'ego/lidar') -> PointCloud2:
    return encode_point_cloud(np.array([[10, 1, 0, 0.5]], np.float32), Header(stamp=stamp(ns), frame_id=frame))


@pytest.fixture
def bag(tmp_path):
    """Give a bag of a vehicle and one unit with both sensors."""
    unit, entries = '/infra/rsu_1', [(START_NS, '/ego/camera/calibration', calibration(), LATCHED)]
    entries.append((START_NS, f'{unit}/camera/calibration', calibration('infra/rsu_1/lidar', 'map'), LATCHED))
    for i in range(FRAMES):
        now = START_NS + i * STEP_NS
        entries += [(now, '/ego/odometry', odometry(now)), (now, f'{unit}/pair', pair(now, now)),
                    (now, f'{unit}/lidar/points', cloud(now, 'infra/rsu_1/lidar'))]
        if i != MISSING:
            seen_ns = now - (i == EARLIER) * EARLIER_NS
            entries.append((seen_ns, '/ego/lidar/points', cloud(seen_ns)))
        entries += [(now, f'{unit}/camera/image/compressed', camera_image(now)),
                    (now, '/ego/camera/image/compressed', camera_image(now))]
    path = tmp_path / 'bag'
    with BagWriter(path) as writer:
        for log_ns, topic, message, *qos in sorted(entries, key=lambda entry: entry[0]):
            writer.write(topic, message, log_ns, *qos)
    return path


def offline(bag, sensors):
    """Return the frames of both sides, and the result."""
    package = FakePackage()
    result = OfflineReplay(bag, package, OfflineOptions(sensors=sensors)).run()
    return [[frame for frame, _ in package.trackers[side].seen] for side in (Side.COOPERATIVE, Side.ROADSIDE)], result


def test_images_have_the_clouds_of_their_time_and_go_on_without(bag):
    (ego, unit), result = offline(bag, Sensors.BOTH)
    assert [frame.cloud is not None for frame in ego] == [i != MISSING for i in range(FRAMES)]
    assert all(frame.images and frame.cloud is not None for frame in unit)
    # At 1 m/s the vehicle is 2 cm nearer to what it saw 20 ms before.
    assert [round(float(frame.cloud[0, 0]), 3) for frame in ego if frame.cloud is not None] == [10, 9.98, 10]
    assert result['dropped']['/ego/ego_node'] == {'dropped.points.missing_cloud': 1}
    assert result['tracks'] == result['features']['/infra/rsu_1/features'] == FRAMES


def test_without_cameras_every_cloud_makes_a_frame(bag):
    (ego, unit), result = offline(bag, Sensors.LIDAR)
    stamps = [i * STEP_NS - (i == EARLIER) * EARLIER_NS for i in range(FRAMES) if i != MISSING]
    assert [frame.stamp_ns - START_NS for frame in ego] == stamps
    assert not any(frame.images for frame in [*ego, *unit]) and all(frame.cloud is not None for frame in [*ego, *unit])
    assert result['tracks'] == FRAMES - 1 and len(unit) == FRAMES


def test_with_cameras_alone_clouds_are_not_read(bag):
    (ego, unit), _ = offline(bag, Sensors.CAMERA)
    assert all(frame.images and frame.cloud is None for frame in [*ego, *unit])


def test_a_bag_without_clouds_is_named(tmp_path):
    with BagWriter(tmp_path / 'bag') as writer:
        writer.write('/ego/camera/image/compressed', camera_image(START_NS), START_NS)
    with pytest.raises(UserError, match='no point clouds on /ego/lidar/points'):
        OfflineReplay(tmp_path / 'bag', FakePackage(), OfflineOptions(sensors=Sensors.BOTH)).run()


def test_the_player_waits_for_the_answer_to_a_cloud_where_there_is_no_camera(world, bag):
    asked = []
    publisher = world.probe.create_publisher(TrackArray, '/ego/ego_node/output/tracks', LOCKSTEP_INPUT)

    def answer(message):
        asked.append(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)
        publisher.publish(TrackArray(header=message.header))
    world.probe.create_subscription(PointCloud2, '/ego/lidar/points', answer, LOCKSTEP_INPUT)

    def spin(seconds):
        world.executor.spin_once(timeout_sec=seconds)
    player = BagPlayer(world.probe, bag, Collector(world.probe, ['rsu_1']), spin,
                       PlayOptions(timeout_s=30.0, ego_only=True, sensors=Sensors.LIDAR))
    player.wait_for_nodes()
    report = player.play_lockstep()
    assert report.ego_images == len(asked) == FRAMES - 1 and sorted(asked) == asked
