"""The statistics of all campaigns as a table in a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markers import between


def with_table(page: str, stored: Mapping[str, Any]) -> str:
    """Return a page with the table of a result in place of what is between its markers."""
    names = ('entry', 'inputs', 'minutes', 'accepted', 'slowest input, ms', 'lines reached', 'kinds of failure found',
             'still open')
    lines = [f"| {' | '.join(names)} |", '|---' * len(names) + '|']
    for name, entry in stored['entries'].items():
        lines.append(
            f"| `{name}` | {entry['inputs']} | {entry['seconds'] / 60:.0f} | {entry['accepted']} | "
            f"{1e3 * entry['slowest_s']:.0f} | {entry['lines_reached']} of {entry['lines']} | "
            f"{len(entry['failures_found'])} | {len(entry['failures_open'])} |")
    return between(page, 'fuzz', '\n'.join(lines) + '\n')
