"""Voxels never hold up tracks, are messages for those who listen, and what goes wrong costs the voxels alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2

from cooptrack_msgs.msg import Latency, PanopticOccupancy
from cooptrack_ros.common.colours import identity_colour
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.cooperation.voxels.identities import UNIT_FIRST_ID
from cooptrack_ros.nodes.context import FrameJob
from cooptrack_ros.nodes.health.health import Health
from cooptrack_ros.nodes.outputs.occupancy_output import OccupancyOutput
from cooptrack_ros.nodes.voxel_pipelines import VoxelAnswer
from cooptrack_ros.nodes.worker import Worker
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.sparse import Occupied
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.wire.occupancy import OccupancyMeta
from cooptrack_ros.wire.occupancy_points import encode_points

META = OccupancyMeta(10**18, 'ego/lidar', GRIDS['mini'].vehicle, V2X)
VOXELS = Occupied(np.array([0, 9, 1289]), np.array([4, 1, 1], np.uint8), np.array([0, 3, UNIT_FIRST_ID + 2]))


class Publisher:
    def __init__(self, listeners):
        self.listeners, self.sent = listeners, []

    def publish(self, message):
        self.sent.append(message)

    def get_subscription_count(self):
        return self.listeners


class Parts:
    """An output of a node that is none."""

    def __init__(self, *heard):
        self.publishers = {}

        def create(kind, topic, qos):
            self.publishers[topic] = Publisher(int(topic in heard))
            return self.publishers[topic]
        self.health = Health('node', 'test')
        self.refused, self.failed = [], []
        context = SimpleNamespace(
            health=self.health, now_ns=lambda: 10**18, refuse=lambda *args: self.refused.append(args),
            failed=lambda *args: self.failed.append(args))
        self.output = OccupancyOutput(SimpleNamespace(create_publisher=create), context)
        message = SimpleNamespace(header=PanopticOccupancy().header)
        self.job = FrameJob((message,), message.header, 0.0)

    def sent(self, topic):
        return self.publishers[topic].sent


def answer():
    return VoxelAnswer(VOXELS, META, {'head': 0.01})


def test_voxels_are_published_with_how_long_they_took_and_points_for_nobody():
    parts = Parts('~/output/occupancy')
    parts.output.run(parts.job, answer, is_late=False)
    message, = parts.sent('~/output/occupancy')
    assert list(message.index) == VOXELS.index.tolist()
    assert not parts.sent('~/output/occupancy/points')
    latency, = parts.sent('~/debug/occupancy_latency')
    assert isinstance(latency, Latency) and 'head' in latency.stages
    assert parts.health.counts['occupancy.frames'] == 1
    values = {v.key for s in parts.health.report(PanopticOccupancy().header.stamp, [], {}).status for v in s.values}
    assert {'occupancy.voxels', 'delay_ms.occupancy_arrival_to_publish.p50'} <= values


def test_points_are_made_while_somebody_listens_and_no_message_of_voxels_for_nobody():
    parts = Parts('~/output/occupancy/points')
    parts.output.run(parts.job, answer, is_late=False)
    assert isinstance(parts.sent('~/output/occupancy/points')[0], PointCloud2)
    assert not parts.sent('~/output/occupancy') and parts.sent('~/debug/occupancy_latency')
    assert parts.health.counts['occupancy.frames'] == 1


def test_a_frame_is_left_out_and_counted_when_the_next_one_waits():
    parts = Parts()
    parts.output.run(parts.job, lambda: pytest.fail('the head ran'), is_late=True)
    assert parts.health.counts['occupancy.skipped'] == 1
    assert not any(p.sent for p in parts.publishers.values())


def fails(error):
    def find():
        raise error
    return find


def test_what_goes_wrong_costs_the_voxels_alone():
    parts = Parts()
    parts.output.run(parts.job, fails(WireError('too_large', 'a')), is_late=False)
    parts.output.run(parts.job, fails(RuntimeError('b')), is_late=False)
    assert [args[0] for args in parts.refused] == ['occupancy']
    assert [args[1] for args in parts.failed] == ['occupancy']
    assert not any(p.sent for p in parts.publishers.values())


def test_a_worker_knows_whether_a_job_waits():
    worker = Worker(lambda job: None, lambda error: None, lambda job: None, lambda job: None, keep_all=False)
    assert not worker.waits
    worker.put('job')
    assert worker.waits


def test_points_stand_in_the_centres_and_tell_class_and_identity_by_colour_and_field():
    cloud = encode_points(VOXELS, META)
    assert (cloud.width, cloud.point_step, cloud.row_step) == (3, 20, 60)
    kind = np.dtype({'names': [f.name for f in cloud.fields], 'offsets': [f.offset for f in cloud.fields],
                     'formats': ['<f4', '<f4', '<f4', '<u4', 'u1', '<u2'], 'itemsize': 20})
    points = np.frombuffer(bytes(cloud.data), kind)
    np.testing.assert_allclose(points['x'], [-50.88, -50.88, -50.24], atol=1e-4)
    np.testing.assert_allclose(points['y'], [-50.88, -50.24, -50.24], atol=1e-4)
    np.testing.assert_allclose(points['z'], [-4.5, -3.5, -3.5], atol=1e-4)
    assert points['label'].tolist() == [4, 1, 1]
    assert points['instance'].tolist() == [0, 3, 32768 + 2]
    red, green, blue = (round(255 * part) for part in identity_colour(3))
    assert points['rgb'][1] == red * 65536 + green * 256 + blue
    assert len(set(points['rgb'].tolist())) == 3
    assert encode_points(VOXELS[:0], META).width == 0
