"""HOTA and IDF1 of worked examples, computed by hand."""

import math

import pytest
from support.exchange_cases import result, track, truth

from cooptrack_ros.eval.hota import track_figures

ALPHAS = 19
"""Similarities from 0.05 to 0.95 at which HOTA is averaged."""


def figures(labelled, predictions, name='car'):
    """Return the figures of a class."""
    return track_figures(result(labelled, predictions))[name]


def test_perfect_tracks_have_one_everywhere():
    labelled = [[truth(10 + i, 0, 'A'), truth(20, 0, 'B')] for i in range(4)]
    found = [[track(10 + i, 0, '1'), track(20, 0, '2')] for i in range(4)]
    assert figures(labelled, found) == pytest.approx(
        {'HOTA': 1, 'DetA': 1, 'AssA': 1, 'LocA': 1, 'IDF1': 1})


def test_a_track_that_changes_its_identity_halfway_halves_the_association():
    labelled = [[truth(10, 0, 'A')]] * 4
    found = [[track(10, 0, '1')]] * 2 + [[track(10, 0, '2')]] * 2
    measured = figures(labelled, found)
    # Of each frame, the other two of the object belong to another track: 2 / (4 + 2 - 2).
    assert measured['AssA'] == pytest.approx(0.5) and measured['DetA'] == pytest.approx(1)
    assert measured['HOTA'] == pytest.approx(math.sqrt(0.5))
    assert measured['IDF1'] == pytest.approx(2 * 2 / (4 + 4))


def test_a_track_half_a_metre_off_counts_up_to_a_similarity_of_three_quarters():
    measured = figures([[truth(10, 0, 'A')]] * 3, [[track(10, 0.5, '1')]] * 3)
    assert measured['DetA'] == pytest.approx(15 / ALPHAS)
    assert measured['LocA'] == pytest.approx((15 * 0.75 + 4 * 1.0) / ALPHAS)
    assert measured['IDF1'] == pytest.approx(1)


@pytest.mark.parametrize(('off', 'idf1'), [(1.99, 1.0), (2.0, 0.0)])
def test_identities_count_up_to_two_metres(off, idf1):
    assert figures([[truth(10, 0, 'A')]] * 2, [[track(10, off, '1')]] * 2)['IDF1'] == pytest.approx(idf1)


def test_missed_objects_and_false_tracks_lower_the_detection():
    measured = figures([[truth(10, 0, 'A'), truth(20, 0, 'B')]] * 2, [[track(10, 0, '1'), track(30, 0, '2')]] * 2)
    assert measured['DetA'] == pytest.approx(1 / 3)
    assert measured['IDF1'] == pytest.approx(2 * 2 / (4 + 4))


def test_what_is_out_of_range_does_not_count():
    measured = figures([[truth(10, 0, 'A'), truth(50, 0, 'B')]], [[track(10, 0, '1'), track(0, 50, '2')]])
    assert measured['HOTA'] == pytest.approx(1)


def test_identities_of_two_scenes_are_different_ones():
    content = result([[truth(10, 0, 'A')], [truth(10, 0, 'A')]], [[track(10, 0, '1')], [track(10, 0, '1')]])
    samples = content['scenes'][0]['samples']
    content['scenes'] = [{'scene': 'a', 'samples': samples[:1]}, {'scene': 'b', 'samples': samples[1:]}]
    assert track_figures(content)['car'] == pytest.approx(
        {'HOTA': 1, 'DetA': 1, 'AssA': 1, 'LocA': 1, 'IDF1': 1})


def test_a_class_that_is_absent_and_one_that_is_never_found_have_words_not_numbers():
    content = result([[truth(10, 0, 'A')]], [[track(30, 0, '1', name='pedestrian')]])
    measured = track_figures(content)
    assert set(measured['pedestrian'].values()) == {'class absent'}
    assert measured['car'] == {'HOTA': 0, 'DetA': 0, 'AssA': 0, 'LocA': 'recall never reached', 'IDF1': 0}


def test_the_library_prints_nothing(capfd):
    figures([[truth(10, 0, 'A')]], [[track(10, 0, '1')]])
    assert capfd.readouterr() == ('', '')
