"""The whole live system: a bag in a loop, an ego node, roadside nodes, and an observer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock

from cooptrack_ros.data.bags.info import describe_bag
from cooptrack_ros.data.bags.reader import BagReader
from cooptrack_ros.demo.domains import reserve_domains
from cooptrack_ros.wire.topics import CALIBRATION, EGO_NAMESPACE, IMAGE, unit_namespace, units_of

from .observer import Observer
from .process import NodeProcess

_FED = (IMAGE, CALIBRATION, 'odometry')


def make_bag(folder: Path, seconds: float, units: int) -> Path:
    """Return the bag of a synthetic scene, made on the first call."""
    from cooptrack_ros.data.bags.convert import convert
    from cooptrack_ros.data.folders import open_dataset
    from cooptrack_ros.data.synth import generate
    bag = folder / f'bag_{units}_{seconds:g}'
    if not bag.exists():
        scene = folder / f'scene_{units}_{seconds:g}'
        if not scene.exists():
            generate(scene, 20001, seconds, (480, 270), units=units)
        convert(open_dataset(scene), '0000', bag)
    return bag


class System:
    """Feeds a bag in a loop at a pace, and runs nodes in processes; use as a context manager."""

    def __init__(self, bag: Path, folder: Path, weights: str, rate: float, use_sim_time: bool = False,
                 **environment: str):
        """
        Read the bag and open the observer; nodes are started by ``start``.

        :param rate: pace of the bag, 1 is real time; :param environment: of all processes.
        """
        self._reserved = reserve_domains()
        domain = self._reserved.first
        os.environ.update(environment)
        self.environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain), 'OMP_NUM_THREADS': '1',
                            'ROS_LOG_DIR': str(folder / 'ros'), **environment}
        self._folder, self._weights, self._rate, self._sim = folder, weights, rate, use_sim_time
        topics = {t.name: t for t in describe_bag(bag).topics}
        self.units = units_of(topics, IMAGE)
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, domain_id=domain)
        self.node = rclpy.create_node('feeder', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._publishers = {n: self._publisher(t) for n, t in topics.items() if n.endswith(_FED)}
        self._clock = self.node.create_publisher(Clock, '/clock', 10)
        with BagReader(bag) as reader:
            self._entries = [(log, c.topic, data) for c, log, data in reader.messages(
                [c for c in reader.connections if c.topic in self._publishers])]
        images = [log for log, topic, _ in self._entries if topic == f'{EGO_NAMESPACE}/{IMAGE}']
        self.image_period_s = (images[-1] - images[0]) / 1e9 / (len(images) - 1) / rate
        """Time between two images of the vehicle at the pace of the replay."""
        self._span_ns = self._entries[-1][0] - self._entries[0][0] + 100_000_000
        self.observer = Observer(self.node, self.units)
        self.nodes: dict[str, NodeProcess] = {}
        self.silent: set[str] = set()
        """Prefixes of topics that are not fed at present."""
        self.change: Callable[[str, bytes], bytes] = lambda topic, data: data
        """What is done to a message before it is published."""
        self.loops = 0
        self._next, self._loop_start = 0, 0.0

    def _publisher(self, topic):
        package, _, name = topic.kind.split('/')
        profile = QoSProfile(depth=1 if topic.latched else 10, durability=DurabilityPolicy.TRANSIENT_LOCAL
                             if topic.latched else DurabilityPolicy.VOLATILE)
        return self.node.create_publisher(getattr(import_module(f'{package}.msg'), name), topic.name, profile)

    def add(self, name: str, prefix: tuple[str, ...] = (), **parameters: object) -> NodeProcess:
        """Return a node, not started: ``ego`` or the name of a unit."""
        common = {'weights': self._weights, 'use_sim_time': self._sim, 'diagnostics.period': 0.5, **parameters}
        if name == 'ego':
            made = NodeProcess('ego_node', EGO_NAMESPACE, self._folder / 'ego.log', self.environment,
                               {'infra_units': ','.join(self.units), **common}, prefix)
        else:
            made = NodeProcess('roadside_node', unit_namespace(name), self._folder / f'{name}.log', self.environment,
                               {'unit_id': name, **common}, prefix)
        self.nodes[name] = made
        return made

    def start_all(self, **ego: object) -> None:
        """Start the ego node and all units, and feed until tracks with features come."""
        for name in ('ego', *self.units):
            self.add(name, **(ego if name == 'ego' else {})).start()
        self.until(lambda: any(a.mode == 'cooperative' for a in self.observer.answers), 120, 'cooperative tracks')

    def feed(self, seconds: float) -> None:
        """Publish what is due and let callbacks run, for some seconds."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._loop_start = self._loop_start or now
            log_ns, topic, data = self._entries[self._next]
            due = self._loop_start + (log_ns - self._entries[0][0]) / 1e9 / self._rate
            if now < due:
                self._executor.spin_once(timeout_sec=min(due, end) - now)
                continue
            self._publish(topic, data, log_ns)
            self._executor.spin_once(timeout_sec=0)
            self._next += 1
            if self._next == len(self._entries):
                self.loops, self._next = self.loops + 1, 0
                self._loop_start += self._span_ns / 1e9 / self._rate

    def _publish(self, topic: str, data: bytes, log_ns: int) -> None:
        if self._sim:
            clock = Clock()
            clock.clock.sec, clock.clock.nanosec = divmod(log_ns, 10**9)
            self._clock.publish(clock)
        if not topic.startswith(tuple(self.silent)) or topic.endswith('calibration'):
            self._publishers[topic].publish(self.change(topic, data))

    def until(self, done: Callable[[], bool], patience_s: float, what: str) -> float:
        """Feed until something is true; return how long it took, s; raise a TimeoutError if it does not come."""
        started = time.monotonic()
        while not done():
            if time.monotonic() - started > patience_s:
                raise TimeoutError(f'waited {patience_s:g} s in vain for {what}')
            self.feed(0.05)
        return time.monotonic() - started

    def restart_loop(self) -> None:
        """Begin the bag anew at once: time jumps back."""
        self._next, self._loop_start = 0, time.monotonic()

    def __enter__(self) -> System:
        """Return the system."""
        return self

    def __exit__(self, *exception) -> None:
        """End all nodes and the observer."""
        for node in self.nodes.values():
            node.end()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)
        self._reserved.close()


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return which counters grew, and by how much."""
    return {key: value - before.get(key, 0) for key, value in after.items() if value > before.get(key, 0)}
