"""Filters with one input: subscription and cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rclpy.clock import ROSClock
from rclpy.time import Time


class SimpleFilter:
    """Something with an output that callbacks can be connected to."""

    def __init__(self):
        self.callbacks = {}

    def registerCallback(self, cb: Callable, *args) -> int:
        """Call ``cb(*messages, *args)`` for every output; return the number of the connection."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg) -> None:
        """Hand an output to all callbacks."""
        for cb, args in list(self.callbacks.values()):
            cb(*msg, *args)


class Subscriber(SimpleFilter):
    """Subscription ``Subscriber(node, msg_type, topic, **kwargs)``; the depth is 10 unless ``qos_profile`` is given."""

    def __init__(self, *args, **kwargs):
        super().__init__()
        self.node, _, self.topic = args[:3]
        kwargs.setdefault('qos_profile', 10)
        self.sub = self.node.create_subscription(*args[1:], self.callback, **kwargs)

    def callback(self, msg) -> None:
        """Pass a message on."""
        self.signalMessage(msg)

    def getTopic(self) -> str:
        """Return the topic as given."""
        return self.topic

    def __getattr__(self, key: str):
        """Look up everything else in the subscription of rclpy."""
        if key == 'sub':  # not there yet: without this, a failed constructor would end in a recursion
            raise AttributeError(key)
        return getattr(self.sub, key)


class Cache(SimpleFilter):
    """The last ``cache_size`` messages in their order of arrival; queries are by stamp (``rclpy.time.Time``)."""

    def __init__(self, f: SimpleFilter, cache_size: int = 1, allow_headerless: bool = False):
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self._items = deque(maxlen=cache_size)
        self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:
        """Take messages from a filter."""
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg) -> None:
        """Store a message and pass it on."""
        self._items.append((stamp_of(msg, self.allow_headerless), msg))
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Time, to_stamp: Time) -> list:
        """Return the messages from one stamp to another, both included."""
        assert from_stamp <= to_stamp
        return [msg for stamp, msg in self._items if from_stamp <= stamp <= to_stamp]

    def getElemAfterTime(self, stamp: Time):
        """Return the first message at or after a stamp, or None."""
        return next((msg for time, msg in self._items if time >= stamp), None)

    def getElemBeforeTime(self, stamp: Time):
        """Return the last message at or before a stamp, or None."""
        return next((msg for time, msg in reversed(self._items) if time <= stamp), None)

    def getLatestTime(self) -> Time | None:
        """Return the stamp of the newest message, or None."""
        return self._items[-1][0] if self._items else None

    getLastestTime = getLatestTime  # sic, the spelling of the real package up to Jazzy

    def getOldestTime(self) -> Time | None:
        """Return the stamp of the oldest message, or None."""
        return self._items[0][0] if self._items else None

    def getLast(self):
        """Return the newest message, or None."""
        return self._items[-1][1] if self._items else None


def stamp_of(msg, allow_headerless: bool) -> Time:
    """
    Return the stamp of a message, or the time now for one without a stamp.

    :raises ValueError: for a message without a stamp, unless that is allowed.
    """
    stamp = getattr(getattr(msg, 'header', None), 'stamp', None)
    if stamp is not None:
        return stamp if isinstance(stamp, Time) else Time.from_msg(stamp)
    if not allow_headerless:
        raise ValueError(f'{type(msg).__name__} has no header.stamp; set allow_headerless to use the time of arrival')
    return ROSClock().now()
