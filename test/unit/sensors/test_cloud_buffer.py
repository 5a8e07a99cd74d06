"""Which point cloud belongs to a frame, and when clouds have to do without images."""

import pytest

from cooptrack_ros.common.timeline import StampOrder
from cooptrack_ros.sensors.cloud_buffer import CloudBuffer, SilentImages

MS = 10 ** 6


def buffer(*stamps_ms, max_age_s=0.05):
    made = CloudBuffer(max_age_s)
    for stamp in stamps_ms:
        made.add(stamp * MS, f'cloud {stamp}')
    return made


@pytest.mark.parametrize(('at', 'expected'), [(1000, 1000), (1030, 1000), (1070, 1100), (1150, 1100), (1151, None)])
def test_the_nearest_cloud_counts_if_it_is_near_enough(at, expected):
    found = buffer(900, 1000, 1100).nearest(at * MS)
    assert found == (None if expected is None else (expected * MS, f'cloud {expected}'))


def test_clouds_that_come_late_are_sorted_in_and_doubles_are_not():
    made = buffer(1000, 1200)
    assert made.add(1100 * MS, 'late') is StampOrder.LATE and made.nearest(1090 * MS)[1] == 'late'
    assert made.add(1200 * MS, 'again') is StampOrder.DUPLICATE and made.nearest(1200 * MS)[1] == 'cloud 1200'


def test_time_that_is_set_back_starts_anew():
    made = buffer(5000, 5100)
    made.add(1000 * MS, 'new')
    assert made.nearest(5000 * MS) is None and made.nearest(1000 * MS)[1] == 'new'


def test_only_the_newest_are_kept():
    assert buffer().nearest(0) is None and buffer(*range(0, 2000, 100)).nearest(900 * MS) is None
    assert buffer(*range(0, 2000, 100)).nearest(1000 * MS) is not None


def test_the_text_says_where_the_nearest_cloud_lies():
    assert buffer().describe(0) == 'none came'
    assert buffer(1000).describe(1200 * MS) == 'the nearest is 0.200 s behind'
    assert buffer(1000).describe(900 * MS) == 'the nearest is 0.100 s ahead'


def silent(images_ms, clouds_ms):
    """Return for each cloud whether it has to do without images; what comes at one time comes image first."""
    watch, found = SilentImages(), []
    for stamp, is_cloud in sorted([(s, False) for s in images_ms] + [(s, True) for s in clouds_ms]):
        if is_cloud:
            found.append(watch.cloud(stamp * MS))
        else:
            watch.image(stamp * MS)
    return found


def test_clouds_do_not_stand_in_while_images_come():
    assert not any(silent(range(0, 2000, 100), range(0, 2000, 100)))
    # A single image is lost; images come at 2 Hz; clouds come first and ahead.
    assert not any(silent([0, 100, 200, 400, 500], range(0, 600, 100)))
    assert not any(silent(range(0, 5000, 500), range(0, 5000, 100)))
    assert not any(silent(range(50, 2000, 100), range(0, 2000, 100)))


def test_clouds_stand_in_when_images_have_stopped_before_tracks_are_lost_and_until_they_come_again():
    found = dict(zip(range(0, 1600, 100), silent([*range(0, 600, 100), *range(1200, 1600, 100)], range(0, 1600, 100)),
                     strict=True))
    assert [at for at, alone in found.items() if alone] == [900, 1000, 1100]


def test_clouds_stand_in_for_images_that_never_came_after_a_second():
    assert silent([], range(0, 1300, 100)) == [False] * 11 + [True] * 2


def test_time_that_is_set_back_is_no_silence():
    watch = SilentImages()
    for at in range(5000, 5500, 100):
        watch.image(at * MS)
    assert not watch.cloud(1000 * MS)
    watch.image(1000 * MS)
    assert not watch.cloud(1100 * MS) and watch.cloud(1400 * MS)
