"""Before the first real frame."""

import itertools

import pytest
from support.small_tracker import make_frame

from cooptrack_ros.tracking import warm_up as module
from cooptrack_ros.tracking.warm_up import warm_up


class Counter:
    """Counts frames in its state."""

    def __init__(self):
        """Start without frames."""
        self.stamps = []

    def initial(self):
        """Return zero."""
        return 0

    def step(self, state, frame):
        """Return one more."""
        self.stamps.append(frame.stamp_ns)
        return state + 1, None


@pytest.mark.parametrize(('seconds', 'frames'), [(0.01, 8), (0.3, 4), (5.0, 1)])
def test_a_slow_network_sees_fewer_frames_but_one_at_least(monkeypatch, seconds, frames):
    ticks = itertools.count(step=seconds)
    monkeypatch.setattr(module.time, 'monotonic', lambda: next(ticks))
    tracker = Counter()
    assert warm_up(tracker, make_frame(0)) == frames
    assert tracker.stamps == [100_000_000 * i for i in range(frames)]
