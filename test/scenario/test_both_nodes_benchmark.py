"""The benchmark of both nodes on one machine, on a short recording."""

import json

import both_nodes
import pytest

from cooptrack_ros.bench.goals import GOALS
from cooptrack_ros.bench.report import TABLES

pytestmark = pytest.mark.xdist_group('several processes')


@pytest.mark.timeout(300)
def test_both_nodes_answer_and_the_result_is_one_that_tables_know(tmp_path):
    target, arm = tmp_path / 'both_nodes.json', 'two processes, events'
    assert both_nodes.main(['--seconds', '1', '--arms', arm, '--json', str(target)]) == 0
    result = json.loads(target.read_text())
    nodes, lockstep = result['arms'][arm]['nodes'], result['arms'][arm]['lockstep']
    assert all(0 < node['answered'] <= node['images'] for node in nodes.values())
    assert 0 < lockstep['images'] == nodes['ego']['images'] and lockstep['cpu_s'] > 0
    assert result['arms'][arm]['cpu_s'] > 0
    goal = next(g for g in GOALS if 'both_nodes' in g.results)
    assert 0 < goal.value({**result, 'default': arm}) <= 1
    table = TABLES['both']({'both_nodes': result})
    rows = [row.split(' | ')[:3] for row in table[4:6]]
    assert rows == [[f'| {arm}', kind, str(node['images'])] for kind, node in nodes.items()]
    assert table[-1].startswith(f'| {arm} | {lockstep["images"]} | ') and table[-1].endswith('| yes |')
