"""The tables in the documents of what the attacks and the bombs did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markers import between

from cooptrack_ros.common.text import readable

from .drive import UNIT

_LONGEST = 160
_START = (f'unit {UNIT}', 'no message yet')
"""The honest unit sends from the first image on; its diagnostics may be half a second older."""
_COLUMNS = ('found', 'own', 'false', 'false_own', 'cpu_ms')
_GOOD, _UNKNOWN = 'nothing', '?'
_PEACE = ('nobody', 'honest', 'honest_long')
"""What the others are compared with stands first."""
_ARROW = ' → '


def with_tables(page: str, stored: Mapping[str, Any]) -> str:
    """Return a page with the tables of a result in place of what is between their markers."""
    page = between(page, 'redteam', attacks_table(stored['attacks']))
    return between(page, 'redteam-files', files_table(stored['files']))


def attacks_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line per attack: figures before and after, and what the diagnostics say."""
    lines = ['| attack | images answered | found | own tracks | false tracks | false own tracks | CPU a frame, ms | '
             '/diagnostics before | /diagnostics after |', '|---' * 9 + '|']
    for name in sorted(rows, key=lambda name: (name not in _PEACE, rows[name]['title'])):
        row = rows[name]
        both = [row.get('before'), row.get('after')]
        answered = _pair([f and f'{f["answered"]} of {f["images"]}' for f in both])
        figures = ' | '.join(_pair([f and f'{f[name]:.0f}' if name == 'cpu_ms' else f and f'{f[name]:.1f}'
                                    for f in both]) for name in _COLUMNS)
        words = ' | '.join(_words(f) for f in both)
        lines.append(f'| {row["title"]} | {answered} | {figures} | {words} |')
    return '\n'.join(lines) + '\n'


def files_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line per bomb: time and memory before and after."""
    lines = ['| file | before | after |', '|---' * 3 + '|']
    lines += [f'| {row["title"]} | {_blast(row.get("before"))} | {_blast(row.get("after"))} |' for row in rows.values()]
    return '\n'.join(lines) + '\n'


def _pair(values: list[str | None]) -> str:
    """Return before and after as one cell; once if they are the same."""
    before, after = (value or _UNKNOWN for value in values)
    return before if before == after else f'{before}{_ARROW}{after}'


def _words(figures: Mapping[str, Any] | None) -> str:
    """Return what was said most of each unit, and then of the node."""
    if figures is None:
        return _UNKNOWN
    if not figures['alive']:
        return 'the node ended'
    said = [f'{name}: {texts[0]}' for name, texts in sorted(figures['said'].items(), reverse=True)
            if (name, texts[0]) != _START]
    return readable('; '.join(said), _LONGEST).replace('|', '/').replace('<', '&lt;') or _GOOD


def _blast(blast: Mapping[str, Any] | None) -> str:
    if blast is None:
        return _UNKNOWN
    measured = f', {blast["seconds"]:.1f} s, {blast["mib"]:.0f} MiB' if blast['mib'] or blast['outcome'] in (
        'read', 'refused') else ''
    return f'{blast["outcome"]}{measured}'
