"""A setting that is declared once is checked, and means the same as a flag and as a node parameter."""

import argparse
from dataclasses import dataclass, fields

import pytest

from cooptrack_ros.cli import eval as eval_command
from cooptrack_ros.cli.flags import add_flag, add_flags, settings_of
from cooptrack_ros.common.config import ENCODING
from cooptrack_ros.common.declaration import check_declared, declarations, parameter
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.common.method_config import COMPENSATION, MethodConfig
from cooptrack_ros.cooperation.channel_model import LinkConfig
from cooptrack_ros.eval.channel import Channel
from cooptrack_ros.nodes.settings import EgoSettings, LinkEmulatorSettings, RoadsideSettings
from cooptrack_ros.wire.features import ENCODINGS, FeatureMeta


@dataclass(frozen=True)
class Settings:
    """One of each kind, and a field that is none."""

    wait_s: float = parameter(0.5, 'longest wait', unit='s', low=0, high=60)
    count: int = parameter(3, 'how many', low=1, high=9)
    kind: str = parameter('a', 'which', choices=('a', 'b'))
    wild: bool = parameter(False, 'without care')
    inner: int = 7


@pytest.mark.parametrize(('wrong', 'text'), [
    ({'wait_s': -1.0}, 'wait_s must be 0 to 60, not -1.0'), ({'wait_s': float('nan')}, 'wait_s must be'),
    ({'count': 10}, 'count must be 1 to 9, not 10'), ({'kind': 'c'}, "kind must be one of a, b, not 'c'")])
def test_what_is_out_of_range_is_refused_by_name(wrong, text):
    check_declared(Settings(inner=10**9))
    with pytest.raises(UserError, match=text):
        check_declared(Settings(**wrong))


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_flags(parser, Settings)
    return settings_of(parser.parse_args(words), Settings), parser


def test_flags_are_those_of_the_declared_fields_with_their_meaning():
    assert parsed()[0] == Settings()
    settings, parser = parsed('--wait-s', '2', '--count', '4', '--kind', 'b', '--wild')
    assert settings == Settings(2.0, 4, 'b', True)
    text = ' '.join(parser.format_help().split())
    assert 'longest wait [0 to 60 s] (default: 0.5)' in text and '{a,b}' in text and '--inner' not in text


def test_a_flag_may_leave_its_value_to_something_else():
    parser = argparse.ArgumentParser()
    add_flag(parser, 'compensation', COMPENSATION, 'that of the model')
    assert parser.parse_args([]).compensation is None and 'that of the model' in parser.format_help()


def test_the_evaluation_has_the_whole_channel_as_flags():
    parser = argparse.ArgumentParser()
    eval_command.add_arguments(parser)
    assert list(declarations(Channel)) == [item.name for item in fields(Channel)]
    args = parser.parse_args(['--data', 'x', '--latency-ms', '300', '--seed', '4', '--noise-scope', 'points'])
    assert settings_of(args, Channel) == Channel(latency_ms=300.0, seed=4, noise_scope='points')


def test_the_link_emulator_has_the_whole_link_as_parameters():
    count = len(fields(LinkConfig))
    assert list(declarations(LinkEmulatorSettings).items())[:count] == list(declarations(LinkConfig).items())
    assert LinkEmulatorSettings(drop_rate=0.5).drop_rate == 0.5
    with pytest.raises(UserError, match='drop_rate must be at most'):
        LinkEmulatorSettings(drop_rate=0.95, burst_length=2.0)


def test_encodings_and_compensations_are_the_same_everywhere():
    assert tuple(ENCODINGS) == ENCODING.choices == declarations(RoadsideSettings)['features__encoding'].choices
    assert FeatureMeta.example().encoding == RoadsideSettings().features__encoding == ENCODING.default
    said = declarations(EgoSettings)['fusion__compensation']
    assert said.choices == ('model', *COMPENSATION.choices) and said.description.startswith(COMPENSATION.description)
    assert MethodConfig().compensation == COMPENSATION.default
