"""Precision over recall, and MOTA over recall, of one or several results in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..common.text import for_plot

LINE_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
"""After Okabe and Ito: they stay apart for the colour-blind."""
_DASHES = ('-', '--', '-.', ':')


@dataclass(frozen=True)
class Measured:
    """Figures of the devkit of a result, and precision over recall by class and distance threshold."""

    label: str
    figures: Mapping[str, Any]
    detection_curves: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]


def draw_curves(path: Path, results: Sequence[Measured], class_name: str = 'car') -> None:
    """Write a picture: above precision at each distance threshold, below sMOTAr and MOTA over recall."""
    figure = Figure(figsize=(14, 7.6), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(for_plot(f'class {class_name}'))
    thresholds = sorted(results[0].detection_curves[class_name], key=float)
    rows = figure.subfigures(2, 1)
    above = rows[0].subplots(1, len(thresholds), sharey=True)
    for axes, threshold in zip(above, thresholds):
        _precision(axes, results, class_name, threshold)
    above[0].set_ylabel('precision')
    below = rows[1].subplots(1, 2)
    for axes, (name, title, summary) in zip(below, (
            ('motar', 'tracking: sMOTAr over recall; AMOTA is its mean over the 40 levels', 'AMOTA'),
            ('mota', 'tracking: MOTA over recall; the best value counts', 'MOTA'))):
        _accuracy(axes, results, class_name, name, summary)
        axes.set_title(title, fontsize=10)
        axes.set_ylabel('sMOTAr' if name == 'motar' else 'MOTA')
    figure.savefig(path)


def _style(index: int) -> dict[str, str]:
    """Return colour and dashes of a result; the first seven differ in colour."""
    return {'color': LINE_COLOURS[index % len(LINE_COLOURS)], 'linestyle': _DASHES[index % len(_DASHES)]}


def _precision(axes: Axes, results: Sequence[Measured], class_name: str, threshold: str) -> None:
    for i, result in enumerate(results):
        curve = result.detection_curves[class_name][threshold]
        ap = result.figures['detection']['label_aps'][class_name][threshold]
        axes.plot(curve['recall'], curve['precision'], label=f'{for_plot(result.label)}: AP {_number(ap)}', **_style(i))
    axes.set_title(f'detection: centre within {float(threshold):g} m', fontsize=10)
    _finish(axes)
    axes.set_ylim(0, 1.02)


def _accuracy(axes: Axes, results: Sequence[Measured], class_name: str, name: str, summary: str) -> None:
    for i, result in enumerate(results):
        tracking = result.figures['tracking']
        curve = tracking['curves'][class_name]
        # A recall that was not reached counts as zero in the mean, so it is drawn as zero.
        levels, values = (np.array([v or 0.0 for v in curve[key]], np.float64) for key in ('recall_hypo', name))
        order = np.argsort(levels)
        axes.plot(levels[order], values[order], label=f'{for_plot(result.label)}: {summary} '
                  f'{_number(tracking["label_metrics"][summary.lower()][class_name])}', **_style(i))
    _finish(axes)
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.02)


def _finish(axes: Axes) -> None:
    axes.set_xlim(0, 1.01)
    axes.set_xlabel('recall')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc='upper right')


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'
