"""Filters with several inputs, joined by stamp."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

from rclpy.duration import Duration

from .filters import SimpleFilter, stamp_of


class TimeSynchronizer(SimpleFilter):
    """
    Calls back with one message per input when all have the same stamp.

    :param fs: the input filters.
    :param queue_size: messages kept per input; the one with the smallest stamp goes first.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int):
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        """Take messages from these filters, forgetting those queued so far."""
        self.queues = [{} for _ in fs]
        self.input_connections = [f.registerCallback(self.add, queue, i)
                                  for i, (f, queue) in enumerate(zip(fs, self.queues))]

    def add(self, msg, my_queue: dict, my_queue_index: int | None = None) -> None:
        """Queue a message and call back for the sets that it completes."""
        with self.lock:
            self._push(stamp_of(msg, False).nanoseconds, msg, my_queue)
            for stamp in sorted(set.intersection(*(set(queue) for queue in self.queues))):
                self.signalMessage(*(queue[stamp] for queue in self.queues))
                for queue in self.queues:
                    del queue[stamp]

    def _push(self, stamp: int, msg, queue: dict) -> None:
        queue[stamp] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """
    Calls back with one message per input when all stamps lie less than ``slop`` seconds apart.

    A set always holds the message that has just come; of the others the nearest ones in time are tried first.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int, slop: float, allow_headerless: bool = False):
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless

    def add(self, msg, my_queue: dict, my_queue_index: int | None = None) -> None:
        """Queue a message and call back for the set that it completes, if any."""
        stamp = stamp_of(msg, self.allow_headerless).nanoseconds
        with self.lock:
            self._push(stamp, msg, my_queue)
            if stamp not in my_queue:  # older than a full queue
                return
            candidates = [[stamp] if queue is my_queue else self._near(queue, stamp) for queue in self.queues]
            for stamps in itertools.product(*candidates):
                if max(stamps) - min(stamps) < self.slop.nanoseconds:
                    self.signalMessage(*(queue[s] for queue, s in zip(self.queues, stamps)))
                    for queue, s in zip(self.queues, stamps):
                        del queue[s]
                    return

    def _near(self, queue: dict, stamp: int) -> list[int]:
        """Return the stamps within the slop, nearest first."""
        return sorted((s for s in queue if abs(s - stamp) <= self.slop.nanoseconds), key=lambda s: abs(s - stamp))
