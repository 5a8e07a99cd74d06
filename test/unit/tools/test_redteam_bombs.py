"""Attacks have what to publish, files that unfold are refused within bounds, and the page shows what was measured."""

import json
from pathlib import Path

import pytest
from rclpy.serialization import serialize_message
from redteam.__main__ import FILES, NAMES, attack_of
from redteam.attack import Moment
from redteam.bomb import MAX_MIB, all_bombs, set_off
from redteam.drive import make_drive
from redteam.table import attacks_table, files_table, with_tables

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.common.errors import WireError
from cooptrack_ros.wire.features import decode_instances

ROOT = Path(__file__).resolve().parents[3]
PLAUSIBLE = ('crowd_of_one', 'crowd_of_three', 'fakes', 'confirm_only', 'slow_shift', 'slow_turn', 'last_number')


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    """Give half a second of images in which the unit sees something."""
    return make_drive(tmp_path_factory.mktemp('redteam'), 0.5, (320, 180), 'mini')


def shots(name, drive):
    attack, found = attack_of(name), []
    for index in range(len(drive.frames)):
        moment = Moment(index, len(drive.frames), drive.frames[index], tuple(drive.due(index)), drive)
        found += [*attack.company(moment), *attack.before(moment), *attack.between(moment)]
    return found


@pytest.mark.parametrize('name', NAMES)
def test_every_attack_publishes_what_the_middleware_takes(drive, name):
    found = shots(name, drive)
    assert bool(found) == (name != 'nobody')
    for shot in found:
        assert shot.topic.startswith('/infra/')
        assert isinstance(shot.message, bytes) or serialize_message(shot.message)


@pytest.mark.parametrize('name', PLAUSIBLE)
def test_lies_can_not_be_told_from_one_message(drive, name):
    for shot in shots(name, drive):
        instances, _ = decode_instances(shot.message)
        assert len(instances) == shot.message.count


def test_long_names_are_longer_than_a_field_may_be(drive):
    assert all(len(shot.message) > 1_000_000 for shot in shots('long_names', drive) if isinstance(shot.message, bytes))


def test_an_empty_flood_is_refused(drive):
    flood = [shot.message for shot in shots('flood_full', drive) if shot.message.count == 900]
    assert flood and isinstance(flood[0], InstanceFeatureArray)
    with pytest.raises(WireError):
        decode_instances(flood[0])


def test_every_file_that_unfolds_is_refused_within_its_memory():
    names = list(all_bombs())
    blasts = set_off(names)
    assert {name: blast for name, blast in blasts.items() if blast.outcome != 'refused' or blast.mib > MAX_MIB} == {}


def test_the_page_shows_the_result():
    stored = json.loads((ROOT / 'benchmarks/results/redteam.json').read_text(encoding='utf-8'))
    page = (ROOT / 'docs/security.md').read_text(encoding='utf-8')
    assert set(stored['attacks']) == set(NAMES) and set(stored['files']) == set(all_bombs())
    assert with_tables(page, stored) == page, 'run make redteam'


def test_a_line_has_before_and_after_and_can_be_read():
    figures = {'images': 9, 'answered': 8, 'found': 1.0, 'own': 2.0, 'false': 3.0, 'false_own': 4.0, 'cpu_ms': 50.0,
               'alive': True, 'said': {'node': ['a|b\x1b'], 'unit x': ['c']}}
    rows = {'a': {'title': 'one', 'before': figures, 'after': {**figures, 'found': 6.0, 'said': {}}},
            'honest': {'title': 'zero', 'before': {**figures, 'alive': False}}}
    first, second = attacks_table(rows).splitlines()[2:]
    assert first.startswith('| zero | 8 of 9 → ? | 1.0 → ?') and '| the node ended | ? |' in first
    assert second == (r'| one | 8 of 9 | 1.0 → 6.0 | 2.0 | 3.0 | 4.0 | 50 | unit x: c; node: a/b\x1b | nothing |')


def test_a_file_that_was_refused_shows_time_and_memory():
    rows = {'x': {'title': 'hole', 'before': {'outcome': 'still busy after 10 s', 'seconds': 10, 'mib': 0},
                  'after': {'outcome': 'refused', 'seconds': 0.04, 'mib': 12.4}}}
    assert files_table(rows).splitlines()[-1] == '| hole | still busy after 10 s | refused, 0.0 s, 12 MiB |'


def test_the_command_knows_every_attack_by_name():
    assert FILES not in NAMES and {'honest', 'nobody'} < set(NAMES)
