"""Each kind of error of a fused result, by hand-made scenes; they add up to all errors."""

import random

import pytest
from support.exchange_cases import result, track, truth

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.eval.analysis import analyse
from cooptrack_ros.eval.error_kinds import GHOST, KINDS, error_kinds

CAR = truth(20, 0, 'A')
SEEN = [track(20.5, 0, 'e')]


def kinds(labelled, tracks, ego=(), roadside=()):
    """Return what there is of each kind in a single frame, without the kinds that there are none of."""
    content = result([labelled], [tracks])
    content['agents'] = {'ego': {'f0': list(ego)}, 'roadside': {'f0': list(roadside)}}
    found = error_kinds(content)['all']
    assert sum(found['kinds'].values()) == found['errors']
    return {k: n for k, n in found['kinds'].items() if n}


def test_a_frame_without_errors_has_none():
    assert kinds([CAR], [track(20, 1, '1')], SEEN) == {}


def test_missed_by_both():
    assert kinds([CAR], [], [track(23, 0, 'e')], [track(20, 0, 'r', name='pedestrian')]) == {'missed_by_both': 1}


@pytest.mark.parametrize('side', ['ego', 'roadside'])
def test_seen_by_one_and_lost_in_fusion(side):
    assert kinds([CAR], [], **{side: SEEN}) == {'lost_in_fusion': 1}


@pytest.mark.parametrize('second', [track(21, 0, '2', 0.5), track(23.5, 0, '2', 0.5),
                                    track(21, 0, '2', 0.5, name='pedestrian')])
def test_duplicate(second):
    assert kinds([CAR], [track(20, 0, '1'), second], SEEN) == {'duplicate': 1}


def test_misplaced_by_pose_or_delay():
    assert kinds([CAR], [track(23, 0, '1')], roadside=SEEN) == {'misplaced': 1}


def test_what_no_agent_saw_right_was_not_misplaced_on_the_way():
    assert kinds([CAR], [track(23, 0, '1')], [track(23, 0, 'e')]) == {'missed_by_both': 1}


def test_wrong_class():
    assert kinds([CAR], [track(20, 0, '1', name='pedestrian')], SEEN) == {'wrong_class': 1}


@pytest.mark.parametrize(('second', 'expected'), [
    ([track(20, 0, '2')], {'switched': 1}), ([track(20, 0, '1')], {}),
    ([track(20, 0, '2'), track(20, 1, '1', 0.5)], {'duplicate': 1})])
def test_switched_identity(second, expected):
    content = result([[CAR], [CAR]], [[track(20, 0, '1')], second])
    content['agents'] = {'ego': {'f0': SEEN, 'f1': SEEN}}
    assert {k: n for k, n in error_kinds(content)['all']['kinds'].items() if n} == expected


@pytest.mark.parametrize('where', [24.0, 40.0])
def test_a_track_of_nothing_is_a_ghost_beside_the_six_kinds(where):
    assert kinds([CAR], [track(20, 0, '1'), track(where, 0, '2')], SEEN) == {GHOST: 1}
    assert GHOST not in KINDS and len(KINDS) == 6


def test_errors_are_counted_by_range_and_class():
    content = result([[CAR, truth(35, 0, 'P', name='pedestrian')]], [[track(45, 0, '1')]])
    content['agents'] = {'ego': {'f0': SEEN}}
    found = error_kinds(content)
    assert {k: (g['objects'], g['errors']) for k, g in found['by_range'].items()} == {
        '0-10 m': (0, 0), '10-20 m': (0, 0), '20-30 m': (1, 1), '30-40 m': (1, 1), '40-50 m': (0, 1)}
    assert found['by_class']['pedestrian']['kinds']['missed_by_both'] == 1
    assert found['by_class']['car']['kinds'] == {**dict.fromkeys(KINDS, 0), 'lost_in_fusion': 1, GHOST: 1}


def test_every_error_is_counted_once_whatever_the_scene():
    rng = random.Random(5)
    names = ('car', 'pedestrian')

    def boxes(make, most):
        return [make(rng.uniform(0, 15), rng.uniform(0, 15), f'{i}', name=rng.choice(names))
                for i in range(rng.randrange(most))]
    for _ in range(30):
        frames = [boxes(truth, 9) for _ in range(3)], [boxes(track, 12) for _ in range(3)]
        content = result(*frames)
        content['agents'] = {side: {f'f{i}': boxes(track, 6) for i in range(3)} for side in ('ego', 'roadside')}
        found = error_kinds(content)
        for group in (found['all'], *found['by_range'].values(), *found['by_class'].values()):
            assert sum(group['kinds'].values()) == group['errors']
        for groups in (found['by_range'], found['by_class']):
            assert sum(g['errors'] for g in groups.values()) == found['all']['errors']
        fate, tracks = (analyse(content)['all'][k] for k in ('outcomes', 'tracks'))
        false_tracks = tracks - fate['found'] - fate['switched']
        without_error = fate['wrong_class'] + fate['badly_placed']
        assert found['all']['errors'] == found['all']['objects'] - fate['found'] + false_tracks - without_error


def test_a_result_without_the_agents_cannot_tell():
    with pytest.raises(UserError, match='eval --errors'):
        error_kinds(result([[CAR]], [[]]))
