"""The table of fuzz campaigns in the documents is that of the measured result."""

import json
from pathlib import Path

import pytest
from fuzz.table import with_table

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_shows_the_result():
    stored = json.loads((ROOT / 'benchmarks/results/fuzz.json').read_text(encoding='utf-8'))
    page = (ROOT / 'docs/reliability.md').read_text(encoding='utf-8')
    assert with_table(page, stored) == page, 'run python -m fuzz ENTRY with --report and --document'


def test_a_failure_that_is_open_shows():
    entry = {'inputs': 5, 'seconds': 120, 'accepted': 2, 'slowest_s': 0.0314, 'lines': 9, 'lines_reached': 7,
             'failures_found': {'a': 2, 'b': 1}, 'failures_open': {'b_1.bin': 'KeyError'}}
    page = with_table('a\n<!-- fuzz -->\n<!-- /fuzz -->\nb', {'entries': {'codec': entry}})
    assert '| `codec` | 5 | 2 | 2 | 31 | 7 of 9 | 2 | 1 |' in page


def test_a_page_without_its_place_is_refused():
    with pytest.raises(ValueError, match='needs the markers <!-- fuzz -->'):
        with_table('no markers', {'entries': {}})
