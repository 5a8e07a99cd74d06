"""The stand-in for message_filters."""

import pytest
from message_filters import ApproximateTimeSynchronizer, Cache, SimpleFilter, Subscriber, TimeSynchronizer
from rclpy.time import Time
from std_msgs.msg import Header, String


class Stamped:
    """Something with a header, nanoseconds after 0."""

    def __init__(self, ns: int):
        self.header = Header(stamp=Time(nanoseconds=ns).to_msg())
        self.ns = ns


def joined(synchronizer) -> list:
    """Return a list that fills with the stamps of every set."""
    sets = []
    synchronizer.registerCallback(lambda *messages: sets.append(tuple(m.ns for m in messages)))
    return sets


def test_callbacks_get_the_messages_and_then_their_own_arguments():
    calls = []
    source = SimpleFilter()
    assert source.registerCallback(lambda *a: calls.append(a), 'x') == 0
    assert source.registerCallback(lambda *a: calls.append(a)) == 1
    source.signalMessage(1, 2)
    assert calls == [(1, 2, 'x'), (1, 2)]


def test_equal_stamps_join_whatever_the_order_of_arrival():
    a, b = SimpleFilter(), SimpleFilter()
    sets = joined(TimeSynchronizer([a, b], 5))
    for source, ns in ((a, 1), (a, 2), (b, 2), (b, 1), (b, 3)):
        source.signalMessage(Stamped(ns))
    assert sets == [(2, 2), (1, 1)]


def test_a_full_queue_loses_its_smallest_stamp():
    a, b = SimpleFilter(), SimpleFilter()
    sets = joined(TimeSynchronizer([a, b], 2))
    for ns in (1, 2, 3):
        a.signalMessage(Stamped(ns))
    for ns in (1, 2, 3):
        b.signalMessage(Stamped(ns))
    assert sets == [(2, 2), (3, 3)]


def test_the_nearest_stamp_within_the_slop_joins_and_each_message_is_used_once():
    a, b = SimpleFilter(), SimpleFilter()
    sets = joined(ApproximateTimeSynchronizer([a, b], 10, 0.05))
    for ms in (100, 140, 300):
        a.signalMessage(Stamped(ms * 10**6))
    for ms in (130, 120, 360):
        b.signalMessage(Stamped(ms * 10**6))
    assert sets == [(140 * 10**6, 130 * 10**6), (100 * 10**6, 120 * 10**6)]


def test_a_set_never_spans_more_than_the_slop():
    sources = [SimpleFilter() for _ in range(3)]
    sets = joined(ApproximateTimeSynchronizer(sources, 10, 0.05))
    for source, ms in zip(sources, (60, 140, 100)):  # both neighbours are near the last, but not near each other
        source.signalMessage(Stamped(ms * 10**6))
    assert sets == []
    sources[1].signalMessage(Stamped(80 * 10**6))
    assert sets == [(60 * 10**6, 80 * 10**6, 100 * 10**6)]


def test_messages_without_stamp_are_refused_unless_allowed():
    a, b = SimpleFilter(), SimpleFilter()
    joined(ApproximateTimeSynchronizer([a, b], 10, 0.05))
    with pytest.raises(ValueError, match=r'String has no header\.stamp'):
        a.signalMessage(String())
    c, d, sets = SimpleFilter(), SimpleFilter(), []
    ApproximateTimeSynchronizer([c, d], 10, 60.0, allow_headerless=True).registerCallback(
        lambda *messages: sets.append([m.data for m in messages]))
    c.signalMessage(String(data='x'))
    d.signalMessage(String(data='y'))
    assert sets == [['x', 'y']]


def test_the_cache_keeps_the_last_messages_and_answers_by_stamp():
    source, passed = SimpleFilter(), []
    cache = Cache(source, 3)
    cache.registerCallback(passed.append)
    assert cache.getLast() is None and cache.getOldestTime() is None
    for ns in (10, 20, 30, 40):
        source.signalMessage(Stamped(ns))

    def at(ns):
        return Time.from_msg(Time(nanoseconds=ns).to_msg())
    assert [m.ns for m in passed] == [10, 20, 30, 40]
    assert [m.ns for m in cache.getInterval(at(10), at(30))] == [20, 30]
    assert cache.getElemBeforeTime(at(29)).ns == 20 and cache.getElemBeforeTime(at(19)) is None
    assert cache.getElemAfterTime(at(30)).ns == 30 and cache.getElemAfterTime(at(41)) is None
    assert (cache.getOldestTime(), cache.getLastestTime(), cache.getLast().ns) == (at(20), at(40), 40)


def test_a_subscriber_subscribes_and_passes_messages_on():
    class Node:
        def create_subscription(self, msg_type, topic, callback, **options):
            self.call, self.callback = (msg_type, topic, options), callback
            return Header(frame_id='the subscription')

    node, got = Node(), []
    subscriber = Subscriber(node, String, 'chat', qos_profile=3)
    subscriber.registerCallback(got.append)
    node.callback('hello')
    assert node.call == (String, 'chat', {'qos_profile': 3})
    assert got == ['hello'] and subscriber.getTopic() == 'chat' and subscriber.frame_id == 'the subscription'
    Subscriber(node, String, 'chat')
    assert node.call[2] == {'qos_profile': 10}
