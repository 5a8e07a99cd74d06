"""Measured figures as they are printed: numbers, or the words for why there is none."""

from __future__ import annotations

from typing import Any


def is_number(value: Any) -> bool:
    """Tell whether a figure is one, and not the word for why there is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def figure_text(value: Any, digits: int = 3) -> str:
    """Return a figure as it is printed; whole numbers have no digits, nothing is a hyphen."""
    if not is_number(value):
        return '-' if value is None else str(value)
    return f'{value:.{digits}f}' if value != int(value) else f'{value:.0f}'
