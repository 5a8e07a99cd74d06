"""A small ROS world for tests: real rclpy and DDS on a domain of its own, a probe node, a tracker without network."""

from __future__ import annotations

import time
from array import array

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from cooptrack_msgs.msg import Calibration, InstanceFeatureArray, PairTransform, TrackArray
from cooptrack_ros.common.config import MINI
from cooptrack_ros.common.types import Boxes, EgoOnlyDetections, FrameOutput, InstanceSet, Match, Side
from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.model.layers import mlp
from cooptrack_ros.nodes.qos import LATCHED, LOCKSTEP_INPUT, OUTPUT, features_qos
from cooptrack_ros.weights.compact_messages import SenderModel
from support.fake_voxels import FakeReader

WIDTH = 96
SIZE = (64, 32)
START_NS = 1_700_000_000 * 10**9
STEP_NS = 100_000_000
MODEL = 'fake-model'
INFRA = '/infra/rsu_1'
FEATURES = features_qos('reliable', 5)


def stamp(ns: int) -> Time:
    """Return nanoseconds as a message."""
    return Time(sec=ns // 10**9, nanosec=ns % 10**9)


def boxes(count: int, first_id: int = 1) -> Boxes:
    """Return cars in a row."""
    x = np.arange(count, dtype=np.float64)
    return Boxes(np.stack([10 + 5 * x, 0 * x, 0 * x], 1), np.tile([4.0, 2.0, 1.5], (count, 1)), np.zeros(count),
                 np.zeros((count, 2)), np.zeros(count, np.int64), np.full(count, 0.9),
                 np.arange(first_id, first_id + count))


def instances(count: int, seed: int = 0) -> InstanceSet:
    """Return instances with random features."""
    random = np.random.default_rng(seed)
    feature = [random.normal(size=(count, WIDTH)).astype(np.float32) for _ in range(3)]
    points = random.random((count, 3)).astype(np.float32)
    return InstanceSet(boxes(count), points, *feature, points, np.zeros(count, np.float32), points)


class FakeTracker:
    """One car always; takes received instances over as matches; its state is the last stamp."""

    def __init__(self, side: Side):
        """Remember the side and what it is fed."""
        self.side, self.seen = side, []

    def initial(self):
        """Return no state."""
        return None

    def step(self, state, frame, messages=()):
        """Return one track, and one more for every received instance."""
        self.seen.append((frame, tuple(messages)))
        received = sum(len(m.instances) for m in messages)
        tracks = boxes(1 + received, first_id=7)
        matches = tuple(Match(8 + i, messages[0].unit_id, i, i, 0.5) for i in range(received))
        reset = state is None or not 0 <= frame.stamp_ns - state <= 500_000_000
        return frame.stamp_ns, FrameOutput(frame.stamp_ns, tracks, np.ones(len(tracks), bool), tracks, instances(2),
                                           matches, reset, {'decoder': 1e-6})

    def look(self, state):
        """Find nothing."""
        return EgoOnlyDetections(np.zeros((0, 3)), np.zeros(0))


class FakePackage:
    """A model package without weights."""

    name, config = 'fake', MINI

    def __init__(self):
        """Start without trackers."""
        self.trackers: dict[Side, FakeTracker] = {}
        self.method: dict[str, str] = {}

    def with_method(self, **changes):
        """Note the changes."""
        self.method |= changes
        return self

    def has(self, side):
        """Tell that every side is there."""
        return True

    def model_id(self, side):
        """Return one identity for all sides."""
        return MODEL

    def uncertainty(self):
        """Return what the package states of its tracks: nothing."""

    def lacks_uncertainty(self, side):
        """Tell that it was not calibrated."""
        return 'not calibrated'

    def sender(self):
        """Return random weights of the right width."""
        return SenderModel(MODEL, {f'query_position.{k}': v for k, v in mlp(144, 96, WIDTH).state_dict().items()})

    def occupancy(self, side, device='cpu'):
        """Return a head that sees the first track of the fake tracker, on the roadside an instance of it."""
        columns = (slice(96, 102), slice(78, 82)) if side is not Side.ROADSIDE else (slice(60, 66), slice(100, 103))
        return FakeReader(side, {1 if side is Side.ROADSIDE else 7: columns})

    def tracker(self, side, device='cpu', execution='fast', takes_clouds=False):
        """Return a tracker that records what it is fed."""
        self.trackers[side] = FakeTracker(side)
        return self.trackers[side]


def camera_image(ns: int, size: tuple[int, int] = SIZE) -> CompressedImage:
    """Return a grey JPEG image."""
    _, data = cv2.imencode('.jpg', np.full((size[1], size[0], 3), 90, np.uint8))
    return CompressedImage(header=Header(stamp=stamp(ns), frame_id='camera'), format='jpeg',
                           data=array('B', data.tobytes()))


def calibration(lidar_frame: str = 'ego/lidar', base_frame: str = 'ego/base_link', size=SIZE) -> Calibration:
    """Return a camera that looks along +x."""
    projection = np.array([[20.0, -30.0, 0, 0], [10.0, 0, -30.0, 0], [1.0, 0, 0, 0]]) * (size[0] / 64)
    projection[2] = [1.0, 0, 0, 0]
    return Calibration(header=Header(stamp=stamp(START_NS), frame_id='camera'), lidar_frame=lidar_frame,
                       base_frame=base_frame, width=size[0], height=size[1], img_from_lidar=projection.reshape(-1),
                       base_from_lidar=np.eye(4).reshape(-1), is_rectified=True)


def odometry(ns: int) -> Odometry:
    """Return the pose of a vehicle that drives along +x."""
    msg = Odometry(header=Header(stamp=stamp(ns), frame_id='map'), child_frame_id='ego/base_link')
    msg.pose.pose.position.x = (ns - START_NS) / 1e9
    msg.pose.pose.orientation.w = 1.0
    return msg


def pair(ego_ns: int, infra_ns: int) -> PairTransform:
    """Return an exact relation."""
    return PairTransform(header=Header(stamp=stamp(ego_ns), frame_id='ego/lidar'), unit_id='rsu_1',
                         infra_stamp=stamp(infra_ns), ego_from_infra=np.eye(4).reshape(-1))


class World:
    """A context of its own, an executor, and a probe that publishes inputs and keeps outputs."""

    def __init__(self, executor=SingleThreadedExecutor):
        """Open the context and the probe; :param executor: the class, or what makes one."""
        self._domain = reserve_domains()
        self.context = rclpy.Context()
        rclpy.init(args=[], context=self.context, domain_id=self._domain.first)
        self.executor = executor(context=self.context)
        self.probe = rclpy.create_node('probe', context=self.context)
        self.executor.add_node(self.probe)
        self.nodes: list = []
        self.received: dict[str, list] = {}
        self._publishers: dict[str, object] = {}

    def listen(self, topic: str, kind: type, qos=OUTPUT) -> list:
        """Return the list into which the messages of a topic will come."""
        messages = self.received.setdefault(topic, [])
        self.probe.create_subscription(kind, topic, messages.append, qos)
        return messages

    def publish(self, topic: str, msg) -> None:
        """Publish a message; the first of a topic waits for its subscriber."""
        self.publish_serialized(topic, type(msg), msg)

    def publish_serialized(self, topic: str, kind: type, data) -> None:
        """Publish serialized bytes, whatever they are."""
        if topic not in self._publishers:
            qos = {Calibration: LATCHED, InstanceFeatureArray: FEATURES}.get(kind, LOCKSTEP_INPUT)
            self._publishers[topic] = self.probe.create_publisher(kind, topic, qos)
            self.until(lambda: self._publishers[topic].get_subscription_count() > 0, f'a subscriber of {topic}')
        self._publishers[topic].publish(data)

    def start(self, node_class, namespace: str, package=None, remapped: str = '', **parameters):
        """Start a node of ours in this process; :param remapped: a rule such as ``~/input/odometry:=/odometry``."""
        overrides = [Parameter(k.replace('__', '.'), value=v) for k, v in parameters.items()]
        node = node_class(package, context=self.context, namespace=namespace, parameter_overrides=overrides,
                          use_global_arguments=False,
                          cli_args=['--ros-args', '-r', remapped] if remapped else None)
        self.nodes.append(node)
        self.executor.add_node(node)
        node.autostart()
        return node

    def until(self, done, what: str, timeout_s: float = 30.0) -> None:
        """Let callbacks run until something is true; fail if that does not come."""
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, f'waited in vain for {what}'
            self.executor.spin_once(timeout_sec=0.05)

    def until_heard(self, node, output: str) -> None:
        """Wait until an output of a node, by the last part of its topic, has a listener that the node knows."""
        publisher, = (p for p in node.publishers if p.topic_name.endswith(f'/{output}'))
        self.until(lambda: publisher.get_subscription_count() > 0, f'the listener of {output}')

    def close(self) -> None:
        """Stop everything."""
        for node in self.nodes:
            node.stop()
            node.destroy_node()
        self.probe.destroy_node()
        self.executor.shutdown()
        rclpy.try_shutdown(context=self.context)
        self._domain.close()


class EgoWorld:
    """
    A world with an ego node; drives it frame by frame.

    Seconds of it pass in a moment, so its unit may send more often than a real one.
    """

    def __init__(self, world: World, package=None, calibrated: bool = True, **parameters):
        """Start the node and publish its calibration."""
        from cooptrack_ros.nodes.ego_node import EgoNode
        self.world = world
        self.package = package or FakePackage()
        self.tracks = world.listen('/ego/ego_node/output/tracks', TrackArray)
        self.diagnostics = world.listen('/diagnostics', DiagnosticArray)
        self.node = world.start(EgoNode, '/ego', self.package,
                                **{'diagnostics__period': 0.2, 'fusion__max_unit_rate': 10_000.0, **parameters})
        self.now_ns = START_NS
        world.until(lambda: world.probe.count_publishers('/ego/ego_node/output/tracks') > 0, 'the ego node')
        if calibrated:
            self.calibrate()

    def calibrate(self) -> None:
        """Publish the calibration and wait until it is there."""
        self.world.publish('/ego/ego_node/input/calibration', calibration())
        self.world.until(lambda: self.node.cameras.is_calibrated, 'the calibration')

    def features(self, count: int = 2, ns: int | None = None, sequence: int = 0, model: str = MODEL,
                 **changes) -> InstanceFeatureArray:
        """Publish a message of the roadside unit and return it; ``changes`` spoil fields."""
        from cooptrack_ros.wire.features import FeatureMeta, encode_instances
        meta = FeatureMeta('rsu_1', 1, sequence, model, ns or self.now_ns, 'infra/rsu_1/lidar', 'map')
        msg = encode_instances(instances(count), meta)
        for name, value in changes.items():
            setattr(msg, name, value)
        before = self.unit_events()
        self.world.publish(f'{INFRA}/features', msg)
        self.world.until(lambda: self.unit_events() > before, 'the message to be taken or dropped')
        return msg

    def pair(self, msg: PairTransform) -> None:
        """Publish an exact relation and wait until the node has it, which nothing outside of it shows."""
        self.world.publish(f'{INFRA}/pair', msg)
        ego_ns = msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec
        self.world.until(lambda: self.node._pipeline.agent.units['rsu_1'].has_pair(ego_ns), 'the pair')

    def unit_events(self) -> int:
        """Return how many messages of the unit were taken or dropped."""
        counts = dict(self.node.health.counts)
        return counts.get('rsu_1.received', 0) + sum(v for k, v in counts.items() if k.startswith('dropped.rsu_1'))

    def frame(self, image: CompressedImage | None = None) -> TrackArray:
        """Publish pose and image of the present time, return the answer, and let time pass."""
        answers = len(self.tracks)
        self.send(image)
        self.world.until(lambda: len(self.tracks) > answers, 'tracks')
        return self.tracks[-1]

    def send(self, image: CompressedImage | None = None) -> None:
        """Publish pose and image of the present time, and let time pass."""
        now_ns = self.now_ns
        self.pose()
        self.world.publish('/ego/ego_node/input/image/compressed', image or camera_image(now_ns))

    def pose(self) -> None:
        """Publish the pose of the present time, and let time pass."""
        poses = self.node.health.counts['odometry.received']
        self.world.publish('/ego/ego_node/input/odometry', odometry(self.now_ns))
        self.world.until(lambda: self.node.health.counts['odometry.received'] > poses, 'the pose')
        self.now_ns += STEP_NS

    def dropped(self, source: str, reason: str) -> None:
        """Wait until a drop of this kind is counted and reported in the diagnostics."""
        self.world.until(lambda: self.node.health.dropped(source, reason), f'a drop of {source} for {reason}')
        key = f'dropped.{source}.{reason}'
        self.world.until(lambda: any(v.key == key for a in self.diagnostics for s in a.status for v in s.values),
                         f'{key} in the diagnostics')
