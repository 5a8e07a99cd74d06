"""The ego node takes what was found before what stands in files, and after what is given; unclear: nothing starts."""

import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.nodes.auto import arguments
from cooptrack_ros.nodes.auto.facts import CALIBRATION, COMPRESSED, ODOMETRY, POINTS, Seen, TopicFacts
from cooptrack_ros.nodes.given import split_given

TOPICS = (TopicFacts('/cam/image/compressed', COMPRESSED, 9), TopicFacts('/cam/calibration', CALIBRATION, 1),
          TopicFacts('/odom', ODOMETRY, 9, frame='earth'))
WORDS = ['--given', 'infra_units:=west', '--ros-args', '-r', '~/input/odometry:=/ego/odometry']


@pytest.fixture
def seen(monkeypatch):
    """Give a list of topics that a running system has."""
    topics = list(TOPICS)
    monkeypatch.setattr(arguments, 'look_around', lambda domain_id, seconds: Seen(tuple(topics)))
    return topics


@pytest.mark.parametrize('words', [WORDS, ['--auto', 'false', *WORDS]])
def test_without_the_option_nothing_is_looked_for(words, monkeypatch):
    monkeypatch.setattr(arguments, 'look_around', lambda *_: pytest.fail('looked'))
    assert arguments.with_found_inputs(words) == WORDS


def test_what_was_found_comes_before_what_a_launch_file_remaps_and_what_is_given_counts(seen, capsys):
    rest, given = split_given(arguments.with_found_inputs(['--auto', 'true', *WORDS]))
    remaps = [b for a, b in zip(rest, rest[1:]) if a == '-r']
    assert remaps.index('~/input/odometry:=/odom') < remaps.index('~/input/odometry:=/ego/odometry')
    values = {p.name: p.value for p in given}
    assert values['map_frame'] == 'earth' and values['cameras'] == ''
    assert values['infra_units'] == 'west'
    assert '/cam/image/compressed' in capsys.readouterr().out


def test_an_unclear_choice_starts_nothing_unless_a_camera_is_named(seen, capsys):
    seen += [TopicFacts('/rear/image', COMPRESSED, 9), TopicFacts('/rear/calibration', CALIBRATION, 1)]
    with pytest.raises(UserError, match='(?s)nothing is started.*/cam, /rear.*/rear/image'):
        arguments.with_found_inputs(['--auto', 'true'])
    assert '-r' in arguments.with_found_inputs(['--auto', '/rear'])


def test_point_clouds_that_are_not_clear_stop_only_a_node_that_is_to_look_at_them(seen, capsys):
    seen += [TopicFacts(f'/{side}/points', POINTS, 9) for side in ('left', 'right')]
    for given in ([], ['--given', 'lidar.enabled:='], ['--given', 'lidar.enabled:=false']):
        assert '-r' in arguments.with_found_inputs(['--auto', 'true', *given])
        assert '/left/points' in capsys.readouterr().out
    with pytest.raises(UserError, match='(?s)nothing is started.*points not clear.*/left/points.*/right/points'):
        arguments.with_found_inputs(['--auto', 'true', '--given', 'lidar.enabled:=true'])
    del seen[-1]
    rest, _ = split_given(arguments.with_found_inputs(['--auto', 'true', '--given', 'lidar.enabled:=true']))
    assert '~/input/points:=/left/points' in rest


@pytest.mark.parametrize('words', [['--auto'], ['--auto', 'yes']])
def test_a_wrong_value_is_refused(words):
    with pytest.raises(UserError, match='--auto'):
        arguments.with_found_inputs(words)
