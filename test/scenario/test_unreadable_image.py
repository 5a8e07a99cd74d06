"""An image that cannot be decoded."""

from array import array

from support.ros_world import camera_image


def test_unreadable_image_is_counted_and_the_next_one_is_processed(ego):
    ego.frame()
    broken = camera_image(ego.now_ns)
    broken.data = array('B', bytes(broken.data)[:20])
    ego.send(broken)
    ego.dropped('image', 'unreadable_image')
    expected = ego.now_ns
    assert len(ego.tracks) == 1
    answer = ego.frame()
    assert answer.header.stamp.sec * 10**9 + answer.header.stamp.nanosec == expected


def test_empty_image_is_counted(ego):
    empty = camera_image(ego.now_ns)
    empty.data = array('B')
    ego.send(empty)
    ego.dropped('image', 'unreadable_image')
    assert ego.frame().tracks
