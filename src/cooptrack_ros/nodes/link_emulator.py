"""A bad link for tests and experiments: delays, loses, doubles and reorders the messages of one unit."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher

from cooptrack_msgs.msg import InstanceFeatureArray, RoadsideOccupancy

from ..cooperation.channel_model import ChannelModel
from .health.health import Health
from .node_base import run_program
from .params import Parameters
from .qos import features_qos
from .settings import LinkEmulatorSettings


class Delivery:
    """Hands messages over when they are due, in a thread of its own; times are those of the steady clock."""

    def __init__(self) -> None:
        """Start the thread."""
        self._news = threading.Condition()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._number, self._running = 0, True
        self._thread = threading.Thread(target=self._run, name='delivery', daemon=True)
        self._thread.start()

    def put(self, due_ns: int, deliver: Callable[[], None]) -> None:
        """Take what delivers a message, to be called at a time."""
        with self._news:
            heapq.heappush(self._waiting, (due_ns, self._number, deliver))
            self._number += 1
            self._news.notify()

    def stop(self) -> None:
        """Forget what waits and end the thread; harmless when it has ended."""
        with self._news:
            self._running = False
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._news:
                while self._running and (not self._waiting or self._waiting[0][0] > time.monotonic_ns()):
                    due_s = (self._waiting[0][0] - time.monotonic_ns()) / 1e9 if self._waiting else None
                    self._news.wait(due_s)
                if not self._running:
                    return
                deliver = heapq.heappop(self._waiting)[2]
            deliver()


class LinkEmulator(Node):
    """Passes on what it receives, as a bad link would; messages are never looked into."""

    def __init__(self, **options):
        """
        Declare the parameters, subscribe and publish.

        :raises UserError: for a parameter out of range, or loss that its bursts cannot reach.
        """
        super().__init__('link_emulator', **options)
        settings: LinkEmulatorSettings = Parameters(self, LinkEmulatorSettings).current
        self.health = Health(self.get_fully_qualified_name(), self.get_name())
        qos = features_qos(settings.features__reliability, settings.features__depth)
        self._delivery = Delivery()
        publisher = self.create_publisher(InstanceFeatureArray, '~/output/features', qos)
        self.create_subscription(InstanceFeatureArray, '~/input/features', self._passing(settings, publisher), qos,
                                 raw=True)
        publisher = self.create_publisher(RoadsideOccupancy, '~/output/occupancy', qos)
        self.create_subscription(RoadsideOccupancy, '~/input/occupancy', self._passing(settings, publisher), qos,
                                 raw=True)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(settings.diagnostics__period, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def autostart(self) -> bool:
        """Do nothing: the node works from its start."""
        return True

    def stop(self) -> None:
        """Forget what is under way."""
        self._delivery.stop()

    def _passing(self, settings: LinkEmulatorSettings, publisher: Publisher) -> Callable[[bytes], None]:
        """Return what passes messages of a topic on; what befalls one topic does not depend on the others."""
        link = ChannelModel(settings, np.random.default_rng(settings.seed))

        def send(data: bytes) -> None:
            publisher.publish(data)
            self.health.count('sent')

        def on_message(data: bytes) -> None:
            self.health.count('messages.received')
            arrivals = link.send(time.monotonic_ns())
            self.health.count('lost', not arrivals)
            self.health.count('duplicated', len(arrivals) > 1)
            for due_ns in arrivals:
                self._delivery.put(due_ns, partial(send, data))
        return on_message

    def _report(self) -> None:
        self._diagnostics.publish(self.health.report(self.get_clock().now().to_msg(), [], {}))


def main() -> int:
    """Run the node."""
    return run_program(LinkEmulator)
