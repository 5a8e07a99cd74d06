"""The picture of reliability: what stated regions hold, by source and range, and how often stated chances happen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .curves import LINE_COLOURS

_MARKERS = 'osD^v'
_Z = 1.96


def draw_reliability(path: Path, figures: Mapping[str, Any]) -> None:
    """
    Write the picture.

    :param figures: what ``eval.reliability.reliability`` returns.
    """
    sources = figures['sources']
    columns = 4
    rows = -(-(len(sources) + 1) // columns)
    figure = Figure(figsize=(4.1 * columns, 3.5 * rows), dpi=90, layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle('true values within the stated 95 % regions, by source and range; at the end: existence')
    axes = figure.subplots(rows, columns).ravel()
    for place, (name, parts) in zip(axes, sources.items(), strict=False):
        _coverage(place, name, parts, figures['goal'])
    _existence(axes[len(sources)], sources)
    for place in axes[len(sources) + 1:]:
        place.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=5, fontsize=9)
    figure.savefig(path)


def _coverage(axes: Axes, name: str, parts: Mapping[str, Any], goal: list[float]) -> None:
    """Draw the share of true values within each region; bars: 95 % of a binomial of as many trials as tracks."""
    shown = {part: values for part, values in parts.items() if part != 'all' and values['tracks']}
    axes.axhspan(*(100 * np.array(goal)), color='#009E73', alpha=0.15)
    axes.axhline(95, color='#444444', linewidth=0.8)
    regions = list(dict.fromkeys(r for values in shown.values() for r in values['coverage']))
    for i, region in enumerate(regions):
        share = np.array([values['coverage'].get(region, np.nan) for values in shown.values()])
        tracks = np.array([values['tracks'] for values in shown.values()])
        bar = _Z * np.sqrt(np.maximum(share * (1 - share), 0.02) / tracks)
        low, high = np.minimum(bar, share), np.minimum(bar, 1 - share)
        axes.errorbar(np.arange(len(shown)) + 0.13 * (i - 2), 100 * share, 100 * np.stack([low, high]),
                      color=LINE_COLOURS[i], fmt=_MARKERS[i], markersize=4, linewidth=0.8, label=region)
    axes.set_xticks(range(len(shown)), [f"{part}\n{values['tracks']} tracks" for part, values in shown.items()],
                    fontsize=8)
    axes.set_ylim(50, 101)
    axes.set_title(name, fontsize=10)
    axes.set_ylabel('per cent')


def _existence(axes: Axes, sources: Mapping[str, Any]) -> None:
    axes.plot([0, 100], [0, 100], color='#444444', linewidth=0.8)
    for i, (name, parts) in enumerate(sources.items()):
        curve = parts['all']['curve']
        axes.plot([100 * p['said'] for p in curve], [100 * p['exists'] for p in curve], color=LINE_COLOURS[i % 7],
                  marker='.', linewidth=1, label=name)
    axes.set_xlabel('stated probability of existence, per cent', fontsize=9)
    axes.set_ylabel('have an object, per cent')
    axes.set_title('existence', fontsize=10)
    axes.legend(fontsize=7, loc='lower right')
