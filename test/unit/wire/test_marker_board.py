"""A display is informed of what vanished, and cleared only at the start and at a reset."""

from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from cooptrack_ros.wire.marker_board import MarkerBoard

HEADER = Header(frame_id='map')


def markers(*keys):
    return [Marker(ns=ns, id=number) for ns, number in keys]


def sent(array):
    return [(m.action, m.ns, m.id) for m in array.markers]


def test_only_the_first_message_and_a_reset_clear_everything():
    board = MarkerBoard()
    assert sent(board.update(markers(('boxes', 1)), HEADER))[0][0] == Marker.DELETEALL
    assert sent(board.update(markers(('boxes', 1)), HEADER)) == [(Marker.ADD, 'boxes', 1)]
    # Deletions on top would be of no use.
    assert sent(board.update([], HEADER, reset=True)) == [(Marker.DELETEALL, '', 0)]


def test_what_vanished_is_deleted_once_in_its_namespace():
    board = MarkerBoard()
    board.update(markers(('boxes', 1), ('velocity', 1), ('boxes', 2)), HEADER)
    assert sent(board.update(markers(('boxes', 1)), HEADER)) == [
        (Marker.DELETE, 'boxes', 2), (Marker.DELETE, 'velocity', 1), (Marker.ADD, 'boxes', 1)]
    assert sent(board.update(markers(('boxes', 1)), HEADER)) == [(Marker.ADD, 'boxes', 1)]


def test_no_message_names_a_marker_twice():
    board = MarkerBoard()
    board.update([], HEADER)
    array = board.update([Marker(ns='boxes', id=1, text='a'), Marker(ns='boxes', id=1, text='b')], HEADER)
    assert [m.text for m in array.markers] == ['b']


def test_all_markers_get_the_lifetime():
    array = MarkerBoard().update(markers(('boxes', 1), ('label', 1)), HEADER, 1.5)
    assert [(m.lifetime.sec, m.lifetime.nanosec) for m in array.markers[1:]] == [(1, 500_000_000)] * 2


def test_markers_live_half_a_second_unless_something_else_is_asked_for():
    board = MarkerBoard()
    for options, expected in (({}, (0, 500_000_000)), ({'lifetime_s': 0.0}, (0, 0))):
        *_, marker = board.update(markers(('boxes', 1)), HEADER, **options).markers
        assert (marker.lifetime.sec, marker.lifetime.nanosec) == expected
