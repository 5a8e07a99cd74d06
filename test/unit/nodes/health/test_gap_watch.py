"""Frames that come too slowly for the tracker are named with their rate and the gap that resets."""

from cooptrack_ros.nodes.health.gap_watch import GapWatch


def problem_after(*seconds):
    watch = GapWatch(0.5)
    for second in seconds:
        watch.add(round(second * 1e9))
    return watch.problem()


def test_a_low_rate_is_named_with_the_gap_that_resets():
    text = problem_after(*(i / 1.5 for i in range(10)))
    assert 'frames come at 1.5 Hz' in text
    assert 'more than 0.5 s' in text


def test_a_good_rate_an_interruption_and_a_start_are_no_problem():
    assert problem_after(*(i / 2 for i in range(10))) == ''
    assert problem_after(0, 0.1, 0.2, 5.0, 5.1) == ''
    assert problem_after(0, 1, 2) == problem_after() == ''


def test_a_bag_that_starts_again_starts_anew():
    assert problem_after(10, 11, 12, 13, 0) == ''
    assert problem_after(10, 11, 12, 13, 0, 1, 2, 3)
