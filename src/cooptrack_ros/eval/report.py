"""The figures that people compare."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import stdev
from typing import Any

from ..common.figures import figure_text, is_number
from ..common.text import for_table
from .error_kinds import GHOST, KINDS
from .hota import HOTA_FIGURES, track_figures
from .motion_errors import motion_errors
from .nuscenes import MIN_RECALL, evaluate, figures_of_class
from .undefined import ABSENT, TOO_FEW, UNREACHED

HEADLINE = ('mAP', 'ATE', 'ASE', 'AOE', 'AVE', 'AMOTA', 'AMOTP', 'recall', 'MOTA', 'IDS', 'MT', 'ML', 'FP', 'FN')
MOTION = ('along', 'against', 'across', 'turning', 'mod pi', 'AVE moving', 'AVE slow', 'speed ratio')
"""Columns of errors of heading, degrees, and velocity, m/s: median / mean; the last one is a median alone."""
VEHICLE = (*HEADLINE, *HOTA_FIGURES, 'AVE_moving')
"""What is told of one class, of the vehicle's result."""
_SOURCE = {'mAP': 'AP', 'recall': 'RECALL'}
_ERRORS = ('ATE', 'ASE', 'AOE', 'AVE')


def measure(exchange: dict[str, Any], result: dict[str, Any] | None = None, name: str = 'car') -> dict[str, Any]:
    """
    Measure a result in every way that there is.

    :param exchange: ``cooptrack-eval-golden/1``; :param result: of ``nuscenes.evaluate``, where that is known already.
    :returns: ``vehicle``: figures of a class, of nuScenes, of HOTA, and the mean AVE of what moves; ``per_class``;
        ``motion``: errors of heading and velocity of that class. A figure that does not exist is a word, see
        ``undefined``.
    """
    result, hota, motion = result or evaluate(exchange), track_figures(exchange), motion_errors(exchange, name)
    return {'vehicle': {**headline(result, name), **hota.get(name, dict.fromkeys(HOTA_FIGURES, ABSENT)),
                        'AVE_moving': motion['velocity']['moving']['mean_mps']},
            'per_class': {other: {**row, **hota[other]} for other, row in per_class(result).items()},
            'motion': motion}


def by_scene(exchange: dict[str, Any], whole: Mapping[str, Any], name: str = 'car') -> dict[str, dict[str, Any]]:
    """
    Return the figures of ``vehicle`` of every scene of a result, measured on its own, by the name of the scene.

    :param whole: what ``measure`` returns of the result.
    """
    scenes = exchange['scenes']
    return {s['scene']: measure({**exchange, 'scenes': [s]}, name=name)['vehicle'] if len(scenes) > 1
            else whole['vehicle'] for s in scenes}


def spread(scenes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return how much the figures differ between scenes.

    :param scenes: of ``by_scene``.
    :returns: ``over``: what was compared; ``number``: how many there are; ``vehicle``: the standard deviation (of the
        sample) of each figure over the scenes that have it, or a word where fewer than two do.
    """
    known = {figure: [r[figure] for r in scenes.values() if is_number(r[figure])] for figure in VEHICLE}
    return {'over': 'scenes', 'number': len(scenes),
            'vehicle': {k: stdev(v) if len(v) > 1 else TOO_FEW for k, v in known.items()}}


def headline(result: dict[str, Any], name: str = 'car') -> dict[str, Any]:
    """
    Return the figures of a class under their usual names.

    :param result: what ``nuscenes.evaluate`` returns. Where the devkit has a substitute or nothing for a figure, the
        word for the reason stands: the class is not labelled, or the recall is not reached that it begins at.
    """
    if not result['detection']['n_gt_after_filter_per_class'].get(name):
        return dict.fromkeys(HEADLINE, ABSENT)
    figures = figures_of_class(result['detection'], result['tracking'], name)
    found = {figure: figures.get(_SOURCE.get(figure, figure)) for figure in HEADLINE}
    # The devkit averages from the next of its 101 recalls on.
    if round(100 * result['detection']['label_max_recall'][name]['2.0']) <= round(100 * MIN_RECALL):
        found |= dict.fromkeys(_ERRORS, UNREACHED)
    return {figure: UNREACHED if value is None else value for figure, value in found.items()}


def per_class(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return AP and AMOTA of each class; see ``headline`` for what does not exist."""
    figures = {name: headline(result, name) for name in result['detection']['mean_dist_aps']}
    return {name: {'AP': row['mAP'], 'AMOTA': row['AMOTA']} for name, row in figures.items()}


def motion_row(motion: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns ``MOTION`` of what ``motion_errors`` returns, as they are printed."""
    groups = motion['heading'], motion['heading_while_turning'], motion['velocity']
    both = [*((groups[0][name], 'deg') for name in ('along', 'against', 'across')), (groups[1]['all'], 'deg'),
            (groups[0]['all'], 'mod_pi_deg'), (groups[2]['moving'], 'mps'), (groups[2]['slow'], 'mps')]
    cells = [_median_and_mean(group[f'median_{unit}'], group[f'mean_{unit}'],
                              1 if 'deg' in unit else 2) for group, unit in both]
    return dict(zip(MOTION, [*cells, figure_text(groups[2]['moving']['speed_ratio'])], strict=True))


def _median_and_mean(median: Any, mean: Any, digits: int) -> str:
    return median if isinstance(median, str) else f'{median:.{digits}f} / {mean:.{digits}f}'


def tables(title: str, rows: Mapping[str, Mapping[str, Any]]) -> list:
    """
    Return terminal tables with one row per mode: nuScenes, HOTA, headings and velocities.

    :param rows: what ``measure`` returns, by name; with ``spread`` the first two have its deviations.
    """
    figures: dict[str, Mapping] = {}
    for mode, row in rows.items():
        figures[mode] = row['vehicle']
        if row.get('spread', {}).get('number', 0) > 1:
            figures[f"{mode}, ± over {row['spread']['number']} {row['spread']['over']}"] = row['spread']['vehicle']
    return [_table(title, HEADLINE, figures), _table('tracks', VEHICLE[len(HEADLINE):], figures),
            _table('errors of heading in degrees and of velocity in m/s, median / mean', MOTION,
                   {mode: motion_row(row['motion']) for mode, row in rows.items()})]


def error_table(errors: Mapping[str, Mapping[str, Any]]):
    """Return a terminal table of what ``error_kinds`` returns, one row per mode."""
    columns = {**KINDS, GHOST: 'track of nothing'}
    return _table('errors by kind, all classes', ('objects', *columns.values(), 'errors'), {
        mode: {'objects': found['all']['objects'], 'errors': found['all']['errors'],
               **{columns[kind]: n for kind, n in found['all']['kinds'].items()}} for mode, found in errors.items()})


def _table(title: str, columns: tuple[str, ...], rows: Mapping[str, Mapping[str, Any]]):
    from rich.table import Table
    out = Table(title=for_table(title))
    out.add_column('mode')
    for name in columns:
        out.add_column(name, justify='right')
    for mode, values in rows.items():
        out.add_row(mode, *(figure_text(values.get(name)) for name in columns))
    return out

