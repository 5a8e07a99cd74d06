"""The picture of errors by kind: of each mode, and of the last one by range."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_KINDS = {
    'missed_by_both': ('missed by both', '#444444'),
    'lost_in_fusion': ('seen by one, lost in fusion', '#56B4E9'),
    'duplicate': ('duplicate', '#009E73'),
    'misplaced': ('misplaced by pose or delay', '#E69F00'),
    'wrong_class': ('wrong class', '#CC79A7'),
    'switched': ('switched identity', '#F0E442'),
    'ghost': ('track of nothing', '#D55E00'),
}
"""Words and colour (after Okabe and Ito) of each kind, from the bottom of a bar to its top."""


def draw_errors(path: Path, errors: Mapping[str, Mapping[str, Any]]) -> None:
    """
    Write the picture.

    :param errors: what ``eval.error_kinds.error_kinds`` returns, by name of the result.
    """
    last = list(errors)[-1]
    figure = Figure(figsize=(13, 5.6), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle('errors for 100 labelled objects (all classes and frames)')
    results, by_range = figure.subplots(1, 2)
    _bars(results, {name: found['all'] for name, found in errors.items()}, 'by result')
    _bars(by_range, errors[last]['by_range'], f'{last}: by distance from the ego vehicle')
    handles, labels = results.get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=4, fontsize=9)
    figure.savefig(path)


def _bars(axes: Axes, groups: Mapping[str, Mapping[str, Any]], title: str) -> None:
    bottom = np.zeros(len(groups))
    objects = np.array([max(g['objects'], 1) for g in groups.values()])
    for kind, (words, colour) in _KINDS.items():
        rate = 100 * np.array([g['kinds'][kind] for g in groups.values()]) / objects
        bars = axes.bar(range(len(groups)), rate, bottom=bottom, color=colour, label=words, width=0.75)
        axes.bar_label(bars, [f'{v:.0f}' if v >= 4 else '' for v in rate], label_type='center', fontsize=8,
                       color='white' if kind in ('missed_by_both', 'duplicate') else 'black')
        bottom += rate
    axes.set_xticks(range(len(groups)), [f"{name}\n{g['errors']} errors\n{g['objects']} objects"
                                         for name, g in groups.items()], fontsize=8)
    axes.set_xlim(-0.6, max(len(groups), 1) - 0.4)
    axes.set_ylabel('errors for 100 objects')
    axes.set_title(title, fontsize=11)
