"""The table of faults in the documents is that of the measured result."""

import json
from pathlib import Path

from faults import NAMES
from live.fault_table import Row, with_table

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_shows_the_result():
    stored = json.loads((ROOT / 'benchmarks/results/faults.json').read_text(encoding='utf-8'))
    page = (ROOT / 'docs/reliability.md').read_text(encoding='utf-8')
    assert set(stored['rows']) == set(NAMES)
    assert with_table(page, stored) == page, 'run python tools/faults.py with --json and --document'


def test_rows_are_replaced_between_the_markers_only():
    row = {'fault': 'f', 'seen': 's', 'recovered_s': -1, 'ego_gap_s': 2.0, 'lost': 'nothing'}
    page = with_table('a\n<!-- faults -->\nold\n<!-- /faults -->\nb\n', {'rows': {'f': row}})
    assert page.startswith('a\n<!-- faults -->\n\n| fault') and page.endswith('<!-- /faults -->\nb\n')
    assert '| f | s |  | 2 |  |  | nothing |' in page and 'old' not in page


def test_a_fault_of_the_roadside_shows_how_long_the_vehicle_paused_for_it():
    row = Row('f', 's', 1.0, 1.3, 'n', usual_gap_s=0.6, image_period_s=0.5, delay_p95_s=0.4, usual_delay_p95_s=0.3,
              of_roadside=True)
    page = with_table('<!-- faults --><!-- /faults -->', {'rows': {'f': vars(row)}})
    assert '| f | s | 1 | 1.3 (0.6) | 1.4 | 0.4 (0.3) | n |' in page
    assert Row('f', 's', 1.0, 0.5, 'n', 0.6, 0.5).pause_images == 0
