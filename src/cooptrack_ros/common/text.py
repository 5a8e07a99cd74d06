"""Texts of others made fit for logs, terminals, tables and pictures: one line, of bounded length, without commands."""

from __future__ import annotations

import unicodedata

MAX_SHOWN = 1000
"""Characters of a text that is shown."""
_MAX_LINE = 20_000
"""Of what the program itself says, which may be a list."""
_CUT = '...'
_UNPRINTABLE = ('Cc', 'Cf', 'Cs', 'Co', 'Cn', 'Zl', 'Zp')
"""Categories of Unicode: control characters, marks that turn the direction of writing, halves of pairs, line ends."""


def readable(text: str, limit: int = MAX_SHOWN) -> str:
    """
    Return a text that can only be read: what steers a terminal or ends a line stands as the escape of its number.

    :param limit: characters that are left of a longer one, with dots in place of the rest.
    """
    # Cut first: to escape tens of megabytes takes seconds.
    if len(text) > limit:
        text = text[:limit - len(_CUT)] + _CUT
    if text.isascii() and text.isprintable():
        return text
    shown = ''.join(_escaped(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in text)
    return shown if len(shown) <= limit else shown[:limit - len(_CUT)] + _CUT


def readable_lines(text: str) -> str:
    """Return a text whose lines can only be read; those after the first are set in, so that none stands on its own."""
    return '\n  '.join(readable(line, _MAX_LINE) for line in text.split('\n'))


def for_table(text: str) -> str:
    """Return a text for a cell or title of a table of ``rich``, which reads markup in brackets."""
    from rich.markup import escape
    return escape(readable(text))


def for_plot(text: str) -> str:
    """Return a text for a picture of ``matplotlib``, which reads formulas between dollars."""
    return readable(text).replace('$', r'\$')


def _escaped(character: str) -> str:
    return character.encode('unicode_escape').decode('ascii')
