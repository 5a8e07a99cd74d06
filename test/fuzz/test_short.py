"""Every entry point of the fuzz campaigns withstands some inputs: documented errors only."""

from __future__ import annotations

from collections import Counter

import pytest
from fuzz.entries import ENTRIES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.independent
EXAMPLES = {'codec': 1000, 'occupancy': 500, 'objects': 300, 'video': 60, 'configuration': 60, 'nodes': 60,
            'dataset': 25, 'bags': 20, 'weights': 12}


@pytest.mark.parametrize('name', sorted(EXAMPLES))
def test_any_input_is_accepted_or_refused_with_a_documented_error(name, tmp_path):
    entry = ENTRIES[name]
    run, accepted = entry.prepare(tmp_path), Counter()

    @settings(max_examples=EXAMPLES[name], deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=entry.max_length))
    def check(data):
        # Anything but a documented error is raised.
        accepted[run(data)] += 1
    check()
    accepted[run(b'')] += 1
    assert accepted.keys() <= {True, False}
    assert accepted[True] > 0, 'everything was refused'


def test_every_entry_has_a_short_version():
    assert sorted(EXAMPLES) == sorted(ENTRIES)
