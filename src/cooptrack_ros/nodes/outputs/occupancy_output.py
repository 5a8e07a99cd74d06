"""Publishes the voxels of a frame after its tracks, unless the next frame waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import PointCloud2

from cooptrack_msgs.msg import Latency, PanopticOccupancy

from ...common.errors import WireError
from ...wire.occupancy import encode_occupancy
from ...wire.occupancy_points import encode_points
from ..context import FrameJob, NodeContext
from ..qos import OUTPUT, VOXELS
from ..voxel_pipelines import VoxelAnswer
from .latency_output import LatencyOutput

SOURCE = 'occupancy'
"""Name under which drops are counted."""


class OccupancyOutput:
    """The topics of voxels."""

    def __init__(self, node: Node, context: NodeContext):
        """Create the publishers."""
        self._context = context
        self._voxels = node.create_publisher(PanopticOccupancy, '~/output/occupancy', VOXELS)
        self._points = node.create_publisher(PointCloud2, '~/output/occupancy/points', VOXELS)
        self._latency = LatencyOutput(context, node.create_publisher(Latency, '~/debug/occupancy_latency', OUTPUT),
                                      'occupancy_')

    def run(self, job: FrameJob, find: Callable[[], VoxelAnswer], is_late: bool) -> None:
        """
        Find the voxels of a frame and publish them; whatever goes wrong costs them alone.

        :param is_late: the next frame waits for its tracks already.
        """
        health = self._context.health
        if is_late:
            health.count('occupancy.skipped')
            return
        started = time.monotonic()
        try:
            answer = find()
            self._publish(answer)
        except WireError as error:
            self._context.refuse(SOURCE, error)
            return
        except Exception as error:
            self._context.failed(error, SOURCE)
            return
        self._latency.publish(job, answer.stage_seconds, started)
        health.count('occupancy.frames')
        health.gauge('occupancy.voxels', len(answer.voxels))

    def _publish(self, answer: VoxelAnswer) -> None:
        if self._voxels.get_subscription_count():
            self._voxels.publish(encode_occupancy(answer.voxels, answer.meta))
        if self._points.get_subscription_count():
            self._points.publish(encode_points(answer.voxels, answer.meta))
