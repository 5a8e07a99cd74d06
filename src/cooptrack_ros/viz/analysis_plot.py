"""The picture of where a result loses: fate of the labelled objects and errors over range."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..common.text import for_plot

_OUTCOMES = {
    'found': ('found', '#009E73'),
    'switched': ('found, identity switched', '#F0E442'),
    'wrong_class': ('missed: track of another class', '#CC79A7'),
    'badly_placed': ('missed: track 2 to 4 m away', '#E69F00'),
    'low_score': ('missed: box scored too low to be reported', '#56B4E9'),
    'nothing': ('missed: no box of its own near', '#444444'),
}
"""Words and colour (after Okabe and Ito) of each outcome, from the bottom of a bar to its top."""
_VIEWERS = {'ego': 'ego only', 'both': 'both', 'roadside': 'roadside only', 'unknown': 'not recorded'}


def draw_analysis(path: Path, analysis: Mapping[str, Any], title: str) -> None:
    """
    Write the picture of one result.

    :param analysis: what ``eval.analysis.analyse`` returns.
    """
    figure = Figure(figsize=(13, 9.4), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(f'{for_plot(title)}: what became of {analysis["all"]["objects"]} labelled objects '
                    '(all classes and frames)')
    ((by_range, by_class), (by_viewer, errors)) = figure.subplots(2, 2)
    _bars(by_range, analysis['by_range'], 'by distance from the ego vehicle')
    _bars(by_class, analysis['by_class'], 'by class')
    _bars(by_viewer, {_VIEWERS[k]: v for k, v in analysis['by_viewer'].items()}, 'by who sees the object')
    _errors(errors, analysis['by_range'])
    handles, labels = by_range.get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=3, fontsize=9)
    figure.savefig(path)


def _bars(axes: Axes, groups: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Stack the shares of the outcomes; the labels below give recall and precision."""
    bottom = np.zeros(len(groups))
    totals = np.array([max(g['objects'], 1) for g in groups.values()])
    for outcome, (words, colour) in _OUTCOMES.items():
        share = 100 * np.array([g['outcomes'].get(outcome, 0) for g in groups.values()]) / totals
        bars = axes.bar(range(len(groups)), share, bottom=bottom, color=colour, label=words, width=0.75)
        axes.bar_label(bars, [f'{v:.0f}' if v >= 6 else '' for v in share], label_type='center', fontsize=8,
                       color='white' if outcome in ('nothing', 'found') else 'black')
        bottom += share
    axes.set_xticks(range(len(groups)), [_label(name, g) for name, g in groups.items()], fontsize=8)
    axes.set_xlim(-0.6, max(len(groups), 1) - 0.4)
    axes.set_ylim(0, 100)
    axes.set_ylabel('% of the labelled objects')
    axes.set_title(title, fontsize=11)


def _label(name: str, group: Mapping[str, Any]) -> str:
    lines = [for_plot(name), f'{group["objects"]} objects', f'recall {_percent(group["recall"])}']
    if group['tracks'] is not None:
        lines.append(f'precision {_percent(group["precision"])}')
    return '\n'.join(lines)


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{100 * value:.0f} %'


def _errors(axes: Axes, by_range: Mapping[str, Mapping[str, Any]]) -> None:
    places = range(len(by_range))

    def line(target: Axes, key: str, words: str, **style) -> None:
        values = [np.nan if g[key] is None else g[key] for g in by_range.values()]
        target.plot(places, values, label=words, **style)
    line(axes, 'translation_error_m', 'place, m', color='#0072B2', marker='o')
    line(axes, 'velocity_error_mps', 'velocity, m/s', color='#D55E00', marker='s', linestyle='--')
    right = axes.twinx()
    line(right, 'yaw_error_deg', 'heading, degrees (right scale)', color='#CC79A7', marker='^', linestyle=':')
    axes.set_xticks(places, list(by_range), fontsize=8)
    for each in (axes, right):
        # Room for the legend above the lines.
        each.set_ylim(0, 1.3 * max(each.get_ylim()[1], 1e-3))
    axes.set_ylabel('m, m/s')
    right.set_ylabel('degrees')
    axes.set_title('mean errors of what was found, by distance', fontsize=11)
    axes.grid(alpha=0.3)
    handles = [h for a in (axes, right) for h in a.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, fontsize=8, loc='upper left')
