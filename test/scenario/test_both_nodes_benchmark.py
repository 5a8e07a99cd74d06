"""The benchmark of both nodes on one machine, on a short recording."""

import json

import both_nodes
import pytest

from cooptrack_ros.bench.goals import GOALS
from cooptrack_ros.bench.report import TABLES

pytestmark = pytest.mark.xdist_group('several processes')


@pytest.mark.timeout(300)
def test_both_nodes_answer_and_the_result_is_one_that_tables_know(tmp_path):
    target = tmp_path / 'both_nodes.json'
    assert both_nodes.main(['--seconds', '1', '--json', str(target)]) == 0
    result = json.loads(target.read_text())
    assert all(0 < node['answered'] <= node['images'] for node in result['nodes'].values())
    goal = next(g for g in GOALS if 'both_nodes' in g.results)
    assert 0 < goal.value(result) <= 1
    rows = TABLES['both']({'both_nodes': result})[4:]
    assert [row.split(' | ')[:2] for row in rows] == [
        [f'| {kind}', str(node['images'])] for kind, node in result['nodes'].items()]
