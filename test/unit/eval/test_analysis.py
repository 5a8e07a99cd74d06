"""Where a result loses: worked examples with numbers computed by hand."""

import numpy as np
import pytest
from support.exchange_cases import result, row, track

from cooptrack_ros.eval.analysis import analyse
from cooptrack_ros.eval.matching import greedy_match

TRUTH = [row(5, 0, velocity=[3, 0], track_id='A', seen_by='ego'), row(15, 0, track_id='B', seen_by='both'),
         row(25, 0, track_id='C', seen_by='roadside'), row(35, 0, track_id='D', seen_by='roadside'),
         row(45, 0, track_id='E'), row(10, 10, 'pedestrian', track_id='P'), row(50, 0, track_id='out of range')]
TRACKS = [track(5.3, 0.4, '1', 0.9, yaw_deg=10, velocity=[3, 1]), track(15.5, 0, '2', 0.8, name='pedestrian'),
          track(28, 0, '3', 0.7)]
WEAK = [track(35, 1, '-1', 0.2), track(45, 1, '-1', 0.1)]


def test_every_missed_object_gets_its_reason():
    analysis = analyse(result([TRUTH], [TRACKS], detections=[TRACKS + WEAK]))
    assert analysis['all']['outcomes'] == {
        'found': 1, 'switched': 0, 'wrong_class': 1, 'badly_placed': 1, 'low_score': 1, 'nothing': 2}
    assert (analysis['all']['objects'], analysis['all']['tracks']) == (6, 3)
    assert analysis['all']['recall'] == pytest.approx(1 / 6, abs=1e-4)
    assert analysis['all']['precision'] == pytest.approx(1 / 3, abs=1e-4)


def test_errors_are_those_of_the_tracks_that_found_something():
    near = analyse(result([TRUTH], [TRACKS]))['by_range']['0-10 m']
    assert near['translation_error_m'] == pytest.approx(0.5)
    assert near['yaw_error_deg'] == pytest.approx(10, abs=1e-4)
    assert near['velocity_error_mps'] == pytest.approx(1.0)


def test_groups_count_objects_and_tracks_by_their_own_range_and_class():
    analysis = analyse(result([TRUTH], [TRACKS], detections=[TRACKS + WEAK]))
    counts = {k: (g['objects'], g['tracks'], g['recall'], g['precision']) for k, g in analysis['by_range'].items()}
    assert counts == {'0-10 m': (1, 1, 1, 1), '10-20 m': (2, 1, 0, 0), '20-30 m': (1, 1, 0, 0),
                      '30-40 m': (1, 0, 0, None), '40-50 m': (1, 0, 0, None)}
    by_class = analysis['by_class']
    assert (by_class['car']['recall'], by_class['car']['precision']) == (0.2, 0.5)
    assert (by_class['pedestrian']['recall'], by_class['pedestrian']['precision']) == (0, 0)
    viewers = {name: (g['objects'], g['recall'], g['tracks']) for name, g in analysis['by_viewer'].items()}
    assert viewers == {'ego': (1, 1, None), 'both': (1, 0, None), 'roadside': (2, 0, None), 'unknown': (2, 0, None)}


def test_without_detections_nothing_is_said_about_low_scores():
    outcomes = analyse(result([TRUTH], [TRACKS]))['all']['outcomes']
    assert 'low_score' not in outcomes and outcomes['nothing'] == 3


def test_a_track_explains_one_missed_object_only():
    truth = [row(10, 0, track_id='A'), row(10, 5, track_id='B')]
    outcomes = analyse(result([truth], [[track(10, 2.4, '1', 0.9)]]))['all']['outcomes']
    assert (outcomes['badly_placed'], outcomes['nothing']) == (1, 1)


@pytest.mark.parametrize(('second', 'switched'), [
    ([track(10, 0, '2', 0.9)], 1),
    ([track(10, 0, '1', 0.9)], 0),
    # The old track still stands there; that another one scores higher is no switch.
    ([track(10, 0, '2', 0.9), track(10.5, 0, '1', 0.5)], 0),
    ([], 0),
])
def test_an_identity_is_switched_when_the_old_track_is_gone(second, switched):
    truth = [[row(10, 0, track_id='A')]] * 2
    assert analyse(result(truth, [[track(10, 0, '1', 0.9)], second]))['all']['outcomes']['switched'] == switched


def test_boxes_choose_in_order_of_score_and_each_object_goes_once():
    distance = np.array([[0.5, 1.0], [0.1, 1.9], [0.2, 0.3]])
    assert greedy_match(distance, np.array([0.9, 0.5, 0.1]), 2.0).tolist() == [0, 1]
    assert greedy_match(distance, np.array([0.1, 0.9, 0.5]), 2.0).tolist() == [1, 2]
    assert greedy_match(distance, np.array([0.9, 0.5, 0.1]), 1.0).tolist() == [0, 2]


def test_nothing_at_all_is_no_error():
    analysis = analyse(result([[]], [[]]))
    assert analysis['all']['recall'] is None and analysis['all']['translation_error_m'] is None
