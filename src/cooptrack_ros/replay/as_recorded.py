"""Plays everything that is in a bag, with the clock of the recording, for whoever looks at it: RViz, or a tool."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from ..common.errors import UserError
from ..data.bags.info import describe_bag
from ..data.bags.reader import BagReader
from ..nodes.start import init_ros
from .publishing import CLOCK, ClockPublisher, publisher_for

_TICK_S = 0.02
"""The clock goes on between messages, so that displays do not stutter."""
_DISCOVERY_S = 1.0


class RecordedPlayer:
    """Publishes all messages of a bag at their pace, whether or not anybody listens."""

    def __init__(self, node: Node, path: Path, rate: float, spin: Callable[[float], None]):
        """
        Create the publishers.

        :param rate: times the pace of the recording; :param spin: lets callbacks run for at most so many seconds.
        :raises UserError: if there is no readable bag, or nothing in it.
        """
        topics = [t for t in describe_bag(path).topics if t.count and t.name != CLOCK]
        if not topics:
            raise UserError(f'{path}: there is no message in it')
        self._path, self._rate, self._spin = path, rate, spin
        self._publishers = {t.name: publisher_for(node, t.name, t.kind, t.latched) for t in topics}
        self._clock = ClockPublisher(node)

    def play(self) -> int:
        """Publish the recording once and return the number of messages; the clock starts anew with it."""
        started, first_ns, number = time.monotonic(), None, 0
        self._clock.restart()
        with BagReader(self._path) as reader:
            wanted = [c for c in reader.connections if c.topic in self._publishers]
            for connection, log_ns, data in reader.messages(wanted):
                first_ns = log_ns if first_ns is None else first_ns
                while (left := started + (log_ns - first_ns) / 1e9 / self._rate - time.monotonic()) > 0:
                    self._spin(min(left, _TICK_S))
                    passed_ns = round((time.monotonic() - started) * self._rate * 1e9)
                    self._clock.tick(min(first_ns + passed_ns, log_ns))
                self._clock.tick(log_ns)
                self._publishers[connection.topic].publish(data)
                number += 1
        return number


def play_as_recorded(path: Path, rate: float, loop: bool) -> tuple[int, int]:
    """Return how often the recording was played and how many messages that were; ``loop``: again until Ctrl+C."""
    init_ros([])
    node = rclpy.create_node('cooptrack_replay')
    messages = passes = 0
    try:
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        player = RecordedPlayer(node, path, rate, lambda seconds: executor.spin_once(timeout_sec=seconds))
        # Who listens already learns of new publishers a little later.
        time.sleep(_DISCOVERY_S)
        while passes == 0 or loop:
            messages += player.play()
            passes += 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:
        # Asked to end, ROS is gone under the publishers.
        if rclpy.ok():
            raise
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return passes, messages
