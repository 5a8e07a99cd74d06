"""The figures that people compare."""

from __future__ import annotations

from typing import Any

from ..common.text import for_table
from .nuscenes import figures_of_class

HEADLINE = ('mAP', 'ATE', 'ASE', 'AOE', 'AVE', 'AMOTA', 'AMOTP', 'recall', 'MOTA', 'IDS', 'MT', 'ML', 'FP', 'FN')
_SOURCE = {'mAP': 'AP', 'recall': 'RECALL'}


def headline(result: dict[str, Any], name: str = 'car') -> dict[str, Any]:
    """Return the figures of a class under their usual names; None where the class is absent."""
    figures = figures_of_class(result['detection'], result['tracking'], name)
    return {figure: figures.get(_SOURCE.get(figure, figure)) for figure in HEADLINE}


def per_class(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return AP and AMOTA of each class."""
    return {name: {'AP': ap, 'AMOTA': result['tracking']['label_metrics']['amota'].get(name)}
            for name, ap in result['detection']['mean_dist_aps'].items()}


def table(title: str, rows: dict[str, dict[str, Any]]):
    """Return a terminal table with one row per mode."""
    from rich.table import Table
    out = Table(title=for_table(title))
    out.add_column('mode')
    for name in HEADLINE:
        out.add_column(name, justify='right')
    for mode, values in rows.items():
        out.add_row(for_table(mode), *(_cell(values.get(name)) for name in HEADLINE))
    return out


def _cell(value: Any) -> str:
    if value is None:
        return '-'
    return f'{value:.3f}' if value != int(value) else f'{value:.0f}'
