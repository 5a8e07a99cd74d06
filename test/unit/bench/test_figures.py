"""Statistics, agreement of two outputs, and the tables of the document."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from support.configs import TINY

from cooptrack_ros.bench import report
from cooptrack_ros.bench.agreement import Agreement
from cooptrack_ros.bench.goals import GOALS, Goal
from cooptrack_ros.bench.machine import describe_machine, rss_mib
from cooptrack_ros.bench.report import TABLES, fill_tables, lines, load_results
from cooptrack_ros.bench.scene import example_instances
from cooptrack_ros.bench.timing import Stopwatch, in_turn, statistics_ms
from cooptrack_ros.cli.bench import parse_counts

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / 'docs' / name for name in ('performance.md', 'what_crosses_the_air.md')]


def boxes():
    """Return five cars."""
    centres = np.stack([np.arange(5) * 10.0, np.zeros(5), np.zeros(5)], 1)
    return example_instances(TINY, centres).boxes


def test_statistics_keep_the_tail():
    found = statistics_ms([0.001] * 99 + [0.1])
    assert found['p50'] == 1.0 and found['worst'] == 100.0 and 1.0 < found['p99'] < 100.0


def test_actions_take_turns_in_being_first():
    order, watch = [], Stopwatch()
    actions = {name: lambda name=name: order.append(name) for name in 'abc'}
    for turn in range(3):
        in_turn(actions, turn, watch)
    assert ''.join(order) == 'abcbcacab'
    assert {name: len(values) for name, values in watch.seconds.items()} == {'a': 3, 'b': 3, 'c': 3}


def test_order_and_identities_do_not_count_as_a_difference():
    agreement, ours = Agreement(), boxes()
    agreement.add(ours, ours[::-1].with_(track_id=ours.track_id + 7))
    assert agreement.max_difference == 0 and (agreement.tracks, agreement.unmatched) == (5, 0)


def test_differences_are_reported_by_kind():
    agreement, ours = Agreement(), boxes()
    moved = ours.with_(centre=ours.centre + [0.25, 0, 0], yaw=ours.yaw + 2 * np.pi - 0.1)
    agreement.add(ours, moved)
    assert agreement.largest['centre_m'] == pytest.approx(0.25)
    assert agreement.largest['yaw_rad'] == pytest.approx(0.1)
    assert agreement.max_difference == pytest.approx(0.25)


def test_a_track_that_only_one_path_has_is_counted():
    agreement, ours = Agreement(), boxes()
    agreement.add(ours, ours[1:].with_(label=np.array([0, 0, 0, 1])))
    assert (agreement.tracks, agreement.unmatched) == (3, 3)


def test_lists_and_ranges_of_counts():
    assert parse_counts('--units', '1..4') == [1, 2, 3, 4]
    assert parse_counts('--instances', '0,16') == [0, 16]


def test_the_machine_is_named():
    import os
    assert {'cpu', 'cores', 'torch', 'threads', 'capability'} <= describe_machine().keys()
    assert 1 < rss_mib(os.getpid()) < 1e5


@pytest.mark.parametrize('document', DOCUMENTS)
def test_tables_in_a_document_are_those_of_the_results(document):
    text = document.read_text(encoding='utf-8')
    assert fill_tables(text, load_results(ROOT / 'benchmarks' / 'results')) == text


def test_the_documents_have_every_table():
    text = '\n'.join(document.read_text(encoding='utf-8') for document in DOCUMENTS)
    assert [name for name in TABLES if f'<!-- {name} -->' not in text] == []


def training(wait_share):
    """Return a result of ``cooptrack bench train``."""
    return {'schema': 'cooptrack-bench-train/1', 'config': 'mini', 'side': 'vehicle', 'batch_size': 2, 'workers': 1,
            'step_ms': 800.0, 'wait_ms': 8.0, 'wait_share': wait_share, 'frames_per_second': 2.5,
            'machine': describe_machine()}


def test_a_stored_result_becomes_a_row(tmp_path):
    (tmp_path / 'slow.json').write_text(json.dumps(training(0.125)))
    (tmp_path / 'other.json').write_text(json.dumps({'rows': []}))
    filled = fill_tables('a\n<!-- train -->\nold\n<!-- end -->\nb\n', load_results(tmp_path))
    assert '| slow | mini | vehicle | 2 | 1 | 800 | 8.00 | 12.5 % | 2.50 |' in filled
    assert 'old' not in filled and filled.startswith('a\n') and filled.endswith('|\n\n<!-- end -->\nb\n')
    assert lines(training(0.125))[2].startswith('| mini | vehicle |')


def test_goals_name_results_that_are_measured():
    spec = importlib.util.spec_from_file_location('performance', ROOT / 'benchmarks' / 'performance.py')
    performance = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(performance)
    others = {name for goal in GOALS for name in goal.results} - performance.CPU.keys() - performance.GPU.keys()
    # Of a script of their own, which says so.
    assert all(f'results/{name}.json' in (ROOT / 'benchmarks' / f'{name}.py').read_text() for name in others)


@pytest.mark.parametrize(('is_least', 'words'), [(False, ['yes', 'yes', 'no']), (True, ['no', 'yes', 'yes'])])
def test_a_goal_is_reached_at_its_limit(monkeypatch, is_least, words):
    goal = Goal('speed', 2.0, is_least, ('a', 'b', 'c', 'd'), lambda result: result['x'])
    monkeypatch.setattr(report, 'GOALS', (goal,))
    results = {name: {'x': x} for name, x in zip('abc', (1.0, 2.0, 3.0), strict=True)}
    rows = [line.split(' | ')[-1].rstrip(' |') for line in TABLES['goals'](results)[2:]]
    assert rows == [*words, 'not measured']
