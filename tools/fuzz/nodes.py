"""Callbacks of the nodes, without network: sequences of messages with anything in their fields."""

from __future__ import annotations

import logging
import os
import sys
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source
from .tree import spoil_message

MODULES = (
    'cooptrack_ros.nodes.ego_node', 'cooptrack_ros.nodes.ego_pipeline', 'cooptrack_ros.nodes.roadside_node',
    'cooptrack_ros.nodes.inputs.infra_input', 'cooptrack_ros.nodes.inputs.unit_receiver',
    'cooptrack_ros.nodes.inputs.camera_input', 'cooptrack_ros.nodes.inputs.camera_rig',
    'cooptrack_ros.nodes.inputs.pose_input', 'cooptrack_ros.nodes.inputs.tf_input',
    'cooptrack_ros.nodes.inputs.cloud_input', 'cooptrack_ros.nodes.inputs.cloud_reader',
    'cooptrack_ros.sensors.cloud_buffer', 'cooptrack_ros.sensors.point_clouds', 'cooptrack_ros.wire.point_clouds',
    'cooptrack_ros.nodes.outputs.track_output', 'cooptrack_ros.nodes.health.unit_health',
    'cooptrack_ros.nodes.health.health', 'cooptrack_ros.wire.cameras', 'cooptrack_ros.wire.poses',
    'cooptrack_ros.wire.serialized',
    'cooptrack_ros.wire.images', 'cooptrack_ros.wire.tracks', 'cooptrack_ros.wire.public_tracks',
    'cooptrack_ros.wire.markers', 'cooptrack_ros.cooperation.late_fusion', 'cooptrack_ros.cooperation.ab3dmot',
    'cooptrack_ros.cooperation.compensation', 'cooptrack_ros.cooperation.pairing',
    'cooptrack_ros.sensors.pose_history')
_TESTS = Path(__file__).resolve().parents[2] / 'test'
_LONGEST = 6


class _AtOnce:
    """Does a job where it is handed over; stands in for the worker thread, so that errors come out."""

    def __init__(self, node):
        self._decode, self._work = node._frames._decode, node._work

    def put(self, job) -> None:
        """Do a job."""
        self._decode(job)
        self._work(job)

    def stop(self) -> None:
        """Do nothing: there is no thread."""


def _good_messages() -> dict[type, list]:
    """Return messages of every type that a node listens to, which together make it publish tracks."""
    import numpy as np
    from geometry_msgs.msg import PoseStamped, TransformStamped
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
    from support import ros_world
    from tf2_msgs.msg import TFMessage

    from cooptrack_msgs.msg import Calibration, InstanceFeatureArray, PairTransform
    from cooptrack_ros.wire.features import FeatureMeta, encode_instances
    from cooptrack_ros.wire.images import encode_raw
    from cooptrack_ros.wire.point_clouds import encode_point_cloud
    now = ros_world.START_NS
    odometry = ros_world.odometry(now)
    width, height = ros_world.SIZE
    features = [encode_instances(ros_world.instances(count), FeatureMeta('rsu_1', 1, 1, model, now, 'lidar', 'map'))
                for count, model in ((2, ros_world.MODEL), (3, 'another'))]
    info = CameraInfo(header=ros_world.camera_image(now).header, width=width, height=height,
                      distortion_model='plumb_bob',
                      d=[0.1, 0.0, 0.0, 0.0, 0.0], k=[30.0, 0, width / 2, 0, 30.0, height / 2, 0, 0, 1.0],
                      r=np.eye(3).reshape(-1), p=[30.0, 0, width / 2, 0, 0, 30.0, height / 2, 0, 0, 0, 1.0, 0])
    transform = TransformStamped(header=deepcopy(odometry.header), child_frame_id='lidar')
    camera_image = ros_world.camera_image(now)
    return {
        PointCloud2: [encode_point_cloud(np.ones((3, 4), np.float32), deepcopy(camera_image.header))],
        CompressedImage: [camera_image], Image: [encode_raw(np.zeros((height, width, 3), np.uint8),
                                                            camera_image.header)],
        CameraInfo: [info], Calibration: [ros_world.calibration(), ros_world.calibration('rsu/lidar', 'map')],
        type(odometry): [odometry], PoseStamped: [PoseStamped(header=odometry.header, pose=odometry.pose.pose)],
        InstanceFeatureArray: features, PairTransform: [ros_world.pair(now, now)],
        TFMessage: [TFMessage(transforms=[transform])]}


def _fail(error: Exception, source: str = 'image') -> None:
    raise error


def prepare(folder: Path) -> Run:
    """Start nodes of every kind without network, spinning or threads."""
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'OFF'
    sys.path.insert(0, str(_TESTS))
    import numpy as np
    from rclpy.logging import LoggingSeverity, set_logger_level
    from support import ros_world
    from tf2_msgs.msg import TFMessage

    from cooptrack_ros.common.types import Side
    from cooptrack_ros.nodes.ego_node import EgoNode
    from cooptrack_ros.nodes.inputs import camera_input, cloud_input
    from cooptrack_ros.nodes.roadside_node import RoadsideNode
    from cooptrack_ros.wire.arrays import set_stamp
    from cooptrack_ros.wire.tracks import decode_tracks
    logging.disable(logging.CRITICAL)
    camera_input.TRANSFORM_PATIENCE_S = cloud_input.TRANSFORM_PATIENCE_S = 0.0
    world = ros_world.World()
    info = {'camera__source': 'camera_info', 'image__rectified': False, 'lidar_frame': 'lidar', 'base_frame': 'base'}
    kinds = [(EgoNode, {'infra_units': 'rsu_1', 'fusion__pairs': True}),
             (EgoNode, {'image__transport': 'raw', 'pose__source': 'pose'}),
             (EgoNode, {**info, 'pose__source': 'tf'}), (EgoNode, {'cameras': 'front,left'}),
             (RoadsideNode, {'prediction__enabled': True}),
             (EgoNode, {'lidar__enabled': True, 'lidar__max_age': 0.001}),
             (RoadsideNode, {'lidar__enabled': True, 'lidar__max_age': 0.001, 'camera__enabled': False})]
    nodes, published = [], []

    class _Tracker(ros_world.FakeTracker):
        """Reports the instances that it sends as its tracks, as a real one of a unit does."""

        def step(self, *arguments, **options):
            state, output = super().step(*arguments, **options)
            if self.side is Side.ROADSIDE:
                boxes = output.instances.boxes
                output = replace(output, tracks=boxes, live=np.ones(len(boxes), bool))
            return state, output

    class _Package(ros_world.FakePackage):
        def tracker(self, side, *options):
            self.trackers[side] = _Tracker(side)
            return self.trackers[side]

    for number, (kind, parameters) in enumerate(kinds):
        package = _Package()
        package.config = deepcopy(package.config)
        object.__setattr__(package.config, 'max_cameras', 6)
        if kind is EgoNode:
            parameters = {'odometry__tolerance_ms': 0.0, 'fusion__max_unit_rate': 10000.0, **parameters}
        node = world.start(kind, f'n{number}', package, autostart=True, **parameters)
        set_logger_level(node.get_logger().name, LoggingSeverity.FATAL)
        node._frames._worker.stop()
        node._frames._worker, node.node_context.failed = _AtOnce(node), _fail
        node.tracks_publisher = type('Kept', (), {'publish': staticmethod(published.append)})()
        node._output._tracks = node.tracks_publisher
        callbacks = [(s.msg_type, partial(_serialized, s.callback) if s.raw else s.callback) for s in node._inputs]
        if node.tf is not None:
            callbacks += [(TFMessage, node.tf._listener.callback), (TFMessage, node.tf._listener.static_callback)]
        nodes.append(callbacks)
    good = _good_messages()
    now = [ros_world.START_NS]

    def stamp(message) -> None:
        headers = [t.header for t in message.transforms] if isinstance(message, TFMessage) else [message.header]
        for header in headers:
            set_stamp(header.stamp, now[0])

    def run(data: bytes) -> bool:
        source = Source(data)
        callbacks = nodes[source.below(len(nodes))]
        now[0] += ros_world.STEP_NS
        published.clear()
        # A good round first, so that there is a state to be spoilt.
        order = list(range(len(callbacks))) + [source.below(len(callbacks)) for _ in range(source.below(_LONGEST))]
        for position, index in enumerate(order):
            kind, callback = callbacks[index]
            choices = good[kind]
            message = deepcopy(choices[source.below(len(choices))])
            stamp(message)
            if hasattr(message, 'sequence'):
                message.sequence = now[0] + position
            for _ in range(source.below(4)):
                spoil_message(message, source)
            callback(message)
        for tracks in published:
            boxes = decode_tracks(tracks)
            for values in (boxes.centre, boxes.size, boxes.yaw, boxes.score):
                assert all(abs(v) < 1e9 for v in values.reshape(-1)), 'nonsense was published'
        return bool(published)
    return run


def _serialized(callback, message) -> None:
    """Hand over a message as it comes over the wire."""
    from rclpy.serialization import serialize_message
    callback(serialize_message(message))


ENTRY = Entry('nodes', MODULES, prepare, plain_seeds)
