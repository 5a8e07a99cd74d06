"""Parameters that launch files hand to the programs only where somebody gave them."""

import pytest

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.nodes.given import split_given


def values(*arguments):
    rest, given = split_given(arguments)
    assert rest == []
    return {p.name: p.value for p in given}


def test_an_empty_value_sets_nothing_and_the_other_words_stay_in_their_order():
    rest, given = split_given(['a', '--given', 'weights:=', '--ros-args', '-p', 'x:=1', '--given', 'weights:=m', '-r'])
    assert rest == ['a', '--ros-args', '-p', 'x:=1', '-r']
    assert [(p.name, p.value) for p in given] == [('weights', 'm')]


@pytest.mark.parametrize('text', ['7', "it's", 'a: b', '{name}/x', 'true', 'C:=D', ' '])
def test_a_text_parameter_takes_a_text_as_it_stands(text):
    assert values('--given', f'unit_id:={text}') == {'unit_id': text}


def test_other_parameters_take_numbers_and_truth():
    assert values('--given', 'lockstep:=true', '--given', 'threads:=2', '--given', 'rate:=2.5', '--given',
                  'use_sim_time:=false') == {'lockstep': True, 'threads': 2, 'rate': 2.5, 'use_sim_time': False}


@pytest.mark.parametrize('arguments', [['--given'], ['--given', 'weights'], ['--given', ':=x'],
                                       ['--given', 'lockstep:={a: 1}'], ['--given', 'lockstep:=['],
                                       ['--given', 'lockstep:=2020-01-01']])
def test_what_sets_no_parameter_is_refused_by_name(arguments):
    with pytest.raises(UserError, match='--given .*expected'):
        split_given(arguments)
