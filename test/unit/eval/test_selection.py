"""Which frames of a recording are taken at a lower rate."""

from types import SimpleNamespace

import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.rate import frame_rate_hz
from cooptrack_ros.eval.selection import Selection


class Recording:
    """A data set of sequences of stamps in milliseconds."""

    root = 'recording'

    def __init__(self, *sequences):
        """Take the stamps."""
        self._stamps = {f's{i}': stamps for i, stamps in enumerate(sequences)}

    def sequences(self, split):
        """Return the names of the sequences."""
        return list(self._stamps)

    def records(self, side, sequence):
        """Return a record for each stamp."""
        return [SimpleNamespace(stamp_us=1000 * ms, sequence=sequence) for ms in self._stamps[sequence]]


def taken(selection, *sequences):
    """Return the stamps in milliseconds that are taken."""
    return [r.stamp_us // 1000 for r in selection.records(Recording(*sequences))]


@pytest.mark.parametrize(('hz', 'expected'), [
    (None, list(range(0, 1100, 100))), (10, list(range(0, 1100, 100))), (5, [0, 200, 400, 600, 800, 1000]),
    (2, [0, 500, 1000])])
def test_frames_come_at_the_rate_that_is_asked_for(hz, expected):
    assert taken(Selection(hz=hz), range(0, 1100, 100)) == expected


def test_stamps_that_are_a_little_early_or_late_take_the_same_frames():
    uneven = [0, 103, 196, 305, 398, 499, 602, 697, 801, 903, 997]
    assert taken(Selection(hz=2), uneven) == [0, 499, 997]
    assert taken(Selection(hz=5), uneven) == [0, 196, 398, 602, 801, 997]
    assert taken(Selection(hz=10), uneven) == uneven


def test_after_a_hole_the_next_frame_of_each_period_is_taken():
    assert taken(Selection(hz=2), [0, 100, 200, 300, 700, 800, 900, 1000, 1100]) == [0, 700, 1000]


def test_every_sequence_starts_anew_and_the_limit_counts_what_is_taken():
    assert taken(Selection(hz=5), range(0, 400, 100), range(150, 550, 100)) == [0, 200, 150, 350]
    assert taken(Selection(hz=5, limit=3), range(0, 400, 100), range(150, 550, 100)) == [0, 200, 150]


def test_a_rate_that_the_data_does_not_have_is_refused():
    with pytest.raises(UserError, match='recording: sequence s0 has 2 frames a second, --hz asks for 5'):
        taken(Selection(hz=5), range(0, 3000, 500))


def test_the_rate_of_frames_is_the_usual_one():
    assert frame_rate_hz([[0, 99_000, 201_000, 300_000, 2_000_000], [0, 100_000]]) == 10
    assert frame_rate_hz([[0, 500_000]]) == 2 and frame_rate_hz([[0, 4_000_000]]) == 0.25
    assert frame_rate_hz([[0, 110_000]]) == 10 and frame_rate_hz([[0, 140_000]]) == 7
    assert frame_rate_hz([[5], []]) == 10
