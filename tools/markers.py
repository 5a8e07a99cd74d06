"""Places in pages that tools fill in."""

from __future__ import annotations


def between(page: str, name: str, text: str) -> str:
    """
    Return a page with a text in place of what is between the markers of a name.

    :raises ValueError: for a page without them.
    """
    start, end = f'<!-- {name} -->', f'<!-- /{name} -->'
    if page.count(start) != 1 or page.count(end) != 1:
        raise ValueError(f'the page needs the markers {start} and {end} once each')
    before, rest = page.split(start)
    return f'{before}{start}\n\n{text}\n{end}{rest.split(end)[1]}'
