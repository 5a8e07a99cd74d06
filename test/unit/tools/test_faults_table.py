"""The table of faults in the documents is that of the measured result."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / 'tools'))

from faults import NAMES, with_table

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_shows_the_result():
    stored = json.loads((ROOT / 'benchmarks/results/faults.json').read_text(encoding='utf-8'))
    page = (ROOT / 'docs/reliability_faults.md').read_text(encoding='utf-8')
    assert set(stored['rows']) == set(NAMES)
    assert with_table(page, stored) == page, 'run python tools/faults.py with --json and --document'


def test_rows_are_replaced_between_the_markers_only():
    row = {'fault': 'f', 'seen': 's', 'recovered_s': -1, 'ego_gap_s': 2.0, 'lost': 'nothing'}
    page = with_table('a\n<!-- faults -->\nold\n<!-- /faults -->\nb\n', {'rows': {'f': row}})
    assert page.startswith('a\n<!-- faults -->\n\n| fault') and page.endswith('<!-- /faults -->\nb\n')
    assert '| f | s |  | 2 | nothing |' in page and 'old' not in page
